from __future__ import annotations

import pytest

from dlcore.config import keys


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("a", ["a"]),
        ("a.b", ["a", "b"]),
        ("a[0].b", ["a", 0, "b"]),
        ("a[0][12]", ["a", 0, 12]),
        ("data.train.top-down crop", ["data", "train", "top-down crop"]),
    ],
)
def test_a_key_splits_into_its_steps_and_joins_again(key, parts):
    assert keys.split(key) == parts
    assert keys.join_all("", parts) == key


@pytest.mark.parametrize("key", ["", ".", "a..b", "a.", ".a", "a[b]", "a[0", "a]"])
def test_what_is_not_a_key_is_refused(key):
    with pytest.raises(ValueError, match="is not a key"):
        keys.split(key)


def test_parent_removes_the_last_step():
    assert [keys.parent(key) for key in ("a.b[0]", "a.b", "a", "")] == ["a.b", "a", "", ""]


def test_walk_visits_maps_and_lists_outer_first():
    found = list(keys.walk({"a": {"b": [1, {"c": 2}]}}))
    assert [key for key, _ in found] == ["a", "a.b", "a.b[0]", "a.b[1]", "a.b[1].c"]
    assert found[-1][1] == 2


def test_look_up_follows_steps_and_refuses_wrong_ones():
    value = {"a": [{"b": 1}]}
    assert keys.look_up(value, ["a", 0, "b"]) == 1
    for parts in (["a", 1], ["a", "b"], ["x"], ["a", 0, "b", "c"]):
        with pytest.raises(LookupError):
            keys.look_up(value, parts)


def test_an_unknown_key_names_the_nearest_or_lists_all():
    known = ["channels", "strides"]
    assert keys.unknown_key("chanels", known) == "unknown key 'chanels'; did you mean 'channels'?"
    assert keys.unknown_key("Strides", known).endswith("did you mean 'strides'?")
    assert keys.unknown_key("zzz", known) == "unknown key 'zzz'; known here: channels, strides"
    assert keys.unknown_key("zzz", []) == "unknown key 'zzz'; known here: none"
