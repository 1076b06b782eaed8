from __future__ import annotations

import copy

import pytest

from dlcore.config.overrides import apply
from dlcore.errors import ConfigError

VALUES = {
    "a": {"b": 1, "list": [1, {"x": 2}], "none": None},
    "text": "hello",
}


@pytest.mark.parametrize(
    ("override", "key", "place", "expected"),
    [
        ("a.b=2", "a.b", ["a", "b"], 2),
        ("a.b = 1e-4", "a.b", ["a", "b"], 1e-4),
        ("a.b=", "a.b", ["a", "b"], None),
        ("a.b=null", "a.b", ["a", "b"], None),
        ("a.b=x=y", "a.b", ["a", "b"], "x=y"),
        ("a.b=[1, 2]", "a.b", ["a", "b"], [1, 2]),
        ("a.b={c: true}", "a.b", ["a", "b"], {"c": True}),
        ("a.new.deep=3", "a.new.deep", ["a", "new", "deep"], 3),
        ("a.none.c=3", "a.none.c", ["a", "none", "c"], 3),
        ("a.list[0]=9", "a.list[0]", ["a", "list", 0], 9),
        ("a.list.0=9", "a.list[0]", ["a", "list", 0], 9),
        ("a.list[1].x=9", "a.list[1].x", ["a", "list", 1, "x"], 9),
        ("a.list[2]=9", "a.list[2]", ["a", "list", 2], 9),
        ("made[0]=9", "made[0]", ["made", 0], 9),
        ("text=bye", "text", ["text"], "bye"),
    ],
)
def test_one_key_is_set(override, key, place, expected):
    values = copy.deepcopy(VALUES)
    assert apply(values, override) == key
    for part in place:
        values = values[part]
    assert values == expected


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("text.b=1", "text.b", "'text' is 'hello', not a map"),
        ("a.b.c.d=1", "a.b.c.d", "'a.b' is 1, not a map"),
        ("a[0]=1", "a[0]", "'a' is a map, not a list"),
        ("a.list.x=1", "a.list.x", "'a.list' is a list, not a map"),
        ("a.list[5]=1", "a.list[5]", "'a.list' has 2 items"),
        ("[0]=1", "[0]", "the file is a map, not a list"),
        ("a.b", "--set", "is not of the form KEY=VALUE"),
        ("=1", "--set", "is not a key"),
        ("a..b=1", "--set", "is not a key"),
        ("a.b=[1", "--set", "is not YAML"),
        ("a.b={c: 1, c: 2}", "--set", "is written twice"),
    ],
)
def test_what_cannot_be_set_is_explained(override, key, words):
    values = copy.deepcopy(VALUES)
    with pytest.raises(ConfigError) as error:
        apply(values, override)
    assert error.value.problems[0].key == key
    assert words in error.value.problems[0].message
