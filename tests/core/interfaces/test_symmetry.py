"""Pairs of left and right from names."""

import pytest

from dlcore.interfaces.symmetry import symmetries_from_names


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("leftear", "rightear"),
        ("left_eye", "right_eye"),
        ("earLeft", "earRight"),
        ("LEFT_EAR", "RIGHT_EAR"),
        ("wingL", "wingR"),
        ("forelegL3", "forelegR3"),
        ("LEar", "REar"),
        ("ear_l", "ear_r"),
        ("l-paw", "r-paw"),
        ("L", "R"),
        ("pawLF", "pawRF"),
        ("pawFL", "pawFR"),
        ("leftLeft", "rightRight"),
    ],
)
def test_names_that_differ_in_the_side_only_pair(left, right):
    assert symmetries_from_names(["nose", right, left]) == ((1, 2),)


@pytest.mark.parametrize(
    "names",
    [
        ["leftear", "rightpaw"],  # no partner
        ["LED", "RED"],  # words, not sides
        ["tail", "taiR"],
        ["ALL", "ARR"],
        ["load", "road"],
        ["snout", "snout2"],
        [],
    ],
)
def test_names_without_a_plain_partner_stay_alone(names):
    assert symmetries_from_names(names) == ()


def test_a_name_with_two_possible_partners_is_left_out():
    assert symmetries_from_names(["left_L", "right_L", "left_R", "nose"]) == ()


def test_every_leg_of_a_fly_finds_its_own_partner():
    names = [f"{leg}{side}{i}" for leg in ("fore", "hind") for side in "LR" for i in (1, 2, 3)]

    pairs = symmetries_from_names(names)

    assert [(names[i], names[j]) for i, j in pairs] == [
        (f"{leg}L{i}", f"{leg}R{i}") for leg in ("fore", "hind") for i in (1, 2, 3)
    ]
