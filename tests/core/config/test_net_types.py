from __future__ import annotations

import pytest

from dlcore.config.net_types import fill_in, lay_over
from dlcore.errors import ConfigError


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


FILE = {"net_type": "resnet_50", "metadata": {"bodyparts": ["snout", "tail"]}}


@pytest.mark.parametrize("method", ["td", "CTD"])
def test_a_net_type_for_another_method_is_refused(method, host):
    with pytest.raises(ConfigError) as caught:
        fill_in({**FILE, "method": method}, host)

    assert caught.value.problems[0].key == "method"
    assert f"is made for method bu, not {method}; leave out" in caught.value.problems[0].message


@pytest.mark.parametrize("method", [{}, {"method": None}, {"method": "BU"}])
def test_a_net_type_stands_for_its_own_method(method, host):
    assert fill_in({**FILE, **method}, host)["method"] in ("bu", "BU")


def test_a_top_down_net_type_stands_for_both_stages(host):
    config = fill_in({**FILE, "net_type": "top_down_resnet_50"}, host)

    assert config["method"] == "td"
    assert config["detector"]["model"]["type"] == "SSDLite"
