from __future__ import annotations

import pytest

from dlcore.config.net_types import lay_over


@pytest.mark.parametrize(
    ("base", "top", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 5}}, {"a": {"b": 5, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": None, "b": None}, {"a": 1, "b": None}),
        ({"a": {"b": 1}}, {"a": False}, {"a": False}),
        ({"a": {"type": "X", "b": 1}}, {"a": {"c": 2}}, {"a": {"type": "X", "b": 1, "c": 2}}),
        ({"a": {"type": "X", "b": 1}}, {"a": {"type": "X"}}, {"a": {"type": "X", "b": 1}}),
        ({"a": {"type": "X", "b": 1}}, {"a": {"type": "Y"}}, {"a": {"type": "Y"}}),
    ],
)
def test_maps_are_merged_and_another_type_starts_afresh(base, top, expected):
    before = repr(base)
    assert lay_over(base, top) == expected
    assert repr(base) == before
