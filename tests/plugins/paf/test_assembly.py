"""How candidates become individuals, step by step, and as DeepLabCut does it."""

import json
from pathlib import Path

import numpy as np
import pytest

from dlcore_plugins.paf.assembly import Assembler

CASES = {
    case["name"]: case
    for case in json.loads((Path(__file__).parent / "assemblies.json").read_text())["cases"]
}
CHAIN = [(0, 1), (1, 2)]


def assemble(scores, links, *, edges=CHAIN, places=None, num_animals=2, **options):
    """The individuals as lists of ranks, -1 for a missing keypoint.

    Args:
        scores: (K, N).
        links: (start, end): affinity, for candidates named by keypoint and rank, such as "0b".
    """
    scores = np.array(scores, dtype=np.float32)
    keypoints, count = scores.shape
    affinities = np.zeros((len(edges), count, count), np.float32)
    for (start, end), affinity in links.items():
        edge = edges.index((int(start[0]), int(end[0])))
        affinities[edge, "abcd".index(start[1]), "abcd".index(end[1])] = affinity
    if places is None:  # apart from each other
        places = np.arange(keypoints * count * 2).reshape(keypoints, count, 2) ** 2
    options = {"min_affinity": 0.05} | options
    assembler = Assembler(keypoints, edges, num_animals=num_animals, **options)
    found = assembler.individuals(np.asarray(places, np.float32), scores, affinities)
    return [[one.ranks.get(k, -1) for k in range(keypoints)] for one in found]


GOOD = [[0.9, 0.8], [0.9, 0.8], [0.9, 0.8]]


def test_links_are_those_whose_sum_is_greatest():
    """The best link alone, 0a-1a, would leave nothing for 0b."""
    links = {
        ("0a", "1a"): 0.9,
        ("0a", "1b"): 0.8,
        ("0b", "1a"): 0.8,
        ("1a", "2a"): 0.7,
        ("1b", "2b"): 0.7,
    }

    assert assemble(GOOD, links) == [[0, 1, 1], [1, 0, 0]]


def test_links_of_low_affinity_do_not_count():
    links = {("0a", "1a"): 0.9, ("1a", "2a"): 0.19, ("0b", "1b"): 0.8, ("1b", "2b"): 0.2}

    assert assemble(GOOD, links, min_affinity=0.2) == [[1, 1, 1]]


def test_poor_candidates_are_not_linked():
    links = {("0a", "1a"): 0.9, ("1a", "2a"): 0.9, ("0b", "1b"): 0.9, ("1b", "2b"): 0.9}

    assert assemble([[0.9, 0.8], [0.9, 0.8], [0.9, 0.09]], links) == [[0, 0, 0]]


def test_an_individual_grows_along_the_best_link():
    """Both 1a and 1b are linked to the individual that 0a and 2a start."""
    edges = [(0, 1), (0, 2), (1, 2)]
    links = {
        ("0a", "2a"): 0.9,
        ("0b", "2b"): 0.8,
        ("0a", "1a"): 0.3,
        ("1b", "2a"): 0.6,
        ("1a", "2b"): 0.2,
    }

    assert assemble(GOOD, links, edges=edges) == [[0, 1, 0], [1, 0, 1]]
    links["0a", "1a"], links["1b", "2a"] = 0.6, 0.3
    assert assemble(GOOD, links, edges=edges) == [[0, 0, 0]]  # 0b and 2b get no third


def test_an_individual_of_a_single_link_is_dropped():
    links = {("0a", "1a"): 0.9, ("1a", "2a"): 0.5, ("0b", "1b"): 0.9}

    assert assemble(GOOD, links) == [[0, 0, 0]]


def test_with_two_keypoints_a_single_link_is_all_there_is():
    """DeepLabCut finds nobody then."""
    links = {("0a", "1b"): 0.9, ("0b", "1a"): 0.5}

    assert assemble(GOOD[:2], links, edges=[(0, 1)]) == [[0, 1], [1, 0]]


def test_individuals_come_in_the_order_of_the_sum_of_affinities():
    links = {("0a", "1a"): 0.3, ("1a", "2a"): 0.3, ("0b", "1b"): 0.4, ("1b", "2b"): 0.4}

    assert assemble(GOOD, links) == [[1, 1, 1], [0, 0, 0]]


def test_of_two_individuals_in_one_place_the_better_stays():
    links = {("0a", "1a"): 0.3, ("1a", "2a"): 0.3, ("0b", "1b"): 0.4, ("1b", "2b"): 0.4}
    cross = [[(0, 0), (0, 8)], [(4, 4), (4, 5)], [(8, 8), (8, 0)]]

    assert assemble(GOOD, links, places=cross) == [[1, 1, 1]]
    cross[0][1] = (0, 9)
    assert len(assemble(GOOD, links, places=cross)) == 2


def test_of_too_many_individuals_the_largest_stay():
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    scores = [[0.9, 0.8]] * 6
    links = {
        **{(f"{k}a", f"{k + 1}a"): 0.2 for k in range(4)},  # 0 to 4
        **{("0b", "1b"): 0.9, ("1b", "2b"): 0.9},
        **{("3b", "4b"): 0.3, ("4b", "5b"): 0.3},
    }
    assert assemble(scores, links, edges=edges, num_animals=3) == [
        [1, 1, 1, -1, -1, -1],
        [0, 0, 0, 0, 0, -1],
        [-1, -1, -1, 1, 1, 1],
    ]
    assert assemble(scores, links, edges=edges, num_animals=2) == [
        [1, 1, 1, -1, -1, -1],
        [0, 0, 0, 0, 0, -1],
    ]


def test_one_individual_takes_the_best_candidate_of_each_keypoint():
    assert assemble([[0.9], [0.02], [0.0]], {}, num_animals=1) == [[0, 0, -1]]
    assert assemble([[0.0], [0.0], [0.0]], {}, num_animals=1) == []


class TestPoses:
    def test_what_is_missing_is_told_apart(self):
        places = np.array([[[4, 5]], [[7, 9]], [[0, 0]]], np.float32).repeat(2, axis=1)
        scores = np.array([[0.9, 0.0], [0.75, 0.0], [0.0, 0.0]], np.float32)
        affinities = np.array([[[0.5, 0], [0, 0]]], np.float32)

        poses = Assembler(2, [(0, 1)], num_animals=2, min_affinity=0.05)(
            places[:2], scores[:2], affinities
        )
        lone = Assembler(3, [(0, 1)], num_animals=1, min_affinity=0.05)(
            places[:, :1], scores[:, :1], affinities[:, :1, :1]
        )

        np.testing.assert_allclose(
            poses[0], [[4, 5, 0.9, -1, 0.5], [7, 9, 0.75, -1, 0.5]], rtol=1e-6
        )
        assert (poses[1] == -1).all()
        np.testing.assert_array_equal(lone[0, 2], [np.nan, np.nan, 0, np.nan, 0])


@pytest.mark.parametrize("name", CASES)
def test_individuals_equal_those_of_deeplabcut(name):
    case = CASES[name]
    keypoints = case["num_keypoints"]
    edges = [tuple(edge) for edge in case["edges"]]
    assembler = Assembler(keypoints, edges, **({"min_affinity": 0.05} | case["options"]))
    places, scores, affinities = (
        np.array(case[key], np.float32) for key in ("places", "scores", "affinities")
    )

    found = assembler.individuals(places, scores, affinities)

    expected = case["individuals"]
    ranks = [[one.ranks.get(k, -1) for k in range(keypoints)] for one in found]
    assert ranks == [one["ranks"] for one in expected]
    for pose, one in zip(assembler(places, scores, affinities), expected, strict=False):
        np.testing.assert_allclose(pose[:, 4], one["affinity"], atol=1e-3)
