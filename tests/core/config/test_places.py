from __future__ import annotations

import pytest

from dlcore import Component
from dlcore.config.options import OptionsSpec, read_options
from dlcore.config.places import find_places, initializer_block, own_options, transform_options
from dlcore.config.yaml import parse
from tests.core.config.example import GOOD


def test_every_component_of_a_file_has_its_place():
    more = "logger: [{type: Log}]\ncallbacks: [5, {type: Watch}]"
    values = parse(GOOD.replace("logger:", more)).values
    found = {place.key: (place.kind, place.name) for place in find_places(values)}
    head = "model.heads.bodypart"
    assert found == {
        "model.backbone": ("backbones", None),
        head: ("heads", None),
        f"{head}.predictor": ("predictors", None),
        f"{head}.target_generator": ("target_generators", None),
        f"{head}.criterion.heatmap": ("criteria", None),
        f"{head}.weight_init": ("weight_initializers", None),
        "data.train.affine": ("transforms", "affine"),
        "data.train.noise": ("transforms", "noise"),
        "data.train.collate": ("collates", None),
        "runner.optimizer": ("optimizers", None),
        "runner.scheduler": ("schedulers", None),
        "logger[0]": ("loggers", None),
        "callbacks[1]": ("callbacks", None),
    }


def test_keys_of_the_engine_are_no_options():
    block = {"type": "A", "predictor": {}, "weight_init": "x", "size": 1}
    assert own_options("heads", block, OptionsSpec()) == {"size": 1}
    assert own_options("criteria", {"type": "A", "weight": 1}, OptionsSpec()) == {}
    assert own_options("callbacks", {"type": "A", "stage": "pose"}, OptionsSpec()) == {}
    assert own_options("backbones", {"type": "A", "weight": 1}, OptionsSpec()) == {"weight": 1}


def test_documented_keys_of_detectors_are_dropped_only_where_they_are_unknown(make_package):
    name = make_package(parts="class A:\n    def __init__(self, *, pretrained: bool = True): pass")
    block = {"type": "A", "pretrained": False, "pretrained_from_imagenet": True}
    spec = read_options(Component("A", f"{name}.parts:A"))
    assert own_options("detectors", block, spec) == {"pretrained": False}
    assert own_options("detectors", block, OptionsSpec()) == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, {}), ({"p": 1}, {"p": 1}), (3, {"sigma": 3}), ([1], {"sigma": [1]})],
)
def test_the_value_of_a_transform_stands_for_its_options(make_package, value, expected):
    name = make_package(parts="class A:\n    def __init__(self, t, *, sigma=1, p=0.5): pass")
    spec = read_options(Component("A", f"{name}.parts:A"))
    assert transform_options(value, spec) == expected


@pytest.mark.parametrize("value", ["normal", "Normal", "NOR_MAL", {"type": "normal"}])
def test_the_case_of_an_initializer_does_not_count(host_of, fakes, value):
    assert initializer_block(host_of(**fakes), value) == {"type": "Normal"}
    assert initializer_block(host_of(**fakes), "other") == {"type": "other"}
