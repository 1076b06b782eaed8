from __future__ import annotations

import pytest

from dlcore.config.placeholders import is_placeholder, resolve
from dlcore.errors import ConfigError

NAMES = {"num_bodyparts": 5, "num_individuals": 2, "paf_graph": [[0, 1]], "num_limbs": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("num_bodyparts", 5),
        ("num_bodyparts + 1", 6),
        ("num_bodyparts x 2", 10),
        ("num_bodyparts // 2", 2),
        ("paf_graph", [[0, 1]]),
        ("num_bodyparts+1", "num_bodyparts+1"),
        ("num_bodyparts * 2", "num_bodyparts * 2"),
        ("num_tails", "num_tails"),
        ("normal", "normal"),
        (7, 7),
        (None, None),
        ({"a": ["num_bodyparts", {"b": "num_individuals"}]}, {"a": [5, {"b": 2}]}),
    ],
)
def test_placeholders_are_replaced_wherever_they_stand(value, expected):
    assert resolve(value, NAMES) == expected


@pytest.mark.parametrize(
    ("value", "key", "words"),
    [
        ({"a": ["backbone_output_channels"]}, "m.a[0]", "has no value here"),
        ("num_limbs", "m", "has no value here"),
        ("paf_graph + 1", "m", "is a list, not a number"),
        ("num_bodyparts // 0", "m", "divides by 0"),
    ],
)
def test_what_cannot_be_replaced_is_an_error_with_its_key(value, key, words):
    with pytest.raises(ConfigError) as error:
        resolve(value, NAMES, "m")
    assert error.value.problems[0].key == key
    assert words in error.value.problems[0].message


def test_the_original_is_left_alone():
    value = {"a": ["num_bodyparts"]}
    resolve(value, NAMES)
    assert value == {"a": ["num_bodyparts"]}


def test_only_whole_texts_are_placeholders():
    assert is_placeholder("num_limbs x 2")
    assert not is_placeholder("about num_limbs")
    assert not is_placeholder(5)
