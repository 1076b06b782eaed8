from __future__ import annotations

import pytest

from dlcore import Component, ComponentError, ConfigError
from dlcore.building import build, build_transform
from dlcore.interfaces import PoseTask, TargetGenerator

PARTS = """
    from __future__ import annotations
    from collections.abc import Sequence
    import pydantic
    from dlcore.interfaces import (
        Backbone, Criterion, Head, Logger, Neck, TargetGenerator, Transform)
    from PACKAGE.options import Layers

    class Generator(TargetGenerator):
        def __init__(self, task, *, sigma: float = 1.0, width: int | None = None):
            if sigma <= 0:
                raise ValueError(f"sigma must be positive, not {sigma}")
            self.task, self.sigma, self.width = task, sigma, width
            self.output_names = ("heatmap",)
        def __call__(self, stride, outputs, labels):
            return {}

    class Several(TargetGenerator):
        def __init__(self, task, *, generators: Sequence[TargetGenerator],
                     by_name: dict[str, TargetGenerator] | None = None,
                     pair: tuple[TargetGenerator, TargetGenerator] | None = None):
            self.task, self.generators, self.by_name = task, generators, by_name
            self.pair = pair
        def __call__(self, stride, outputs, labels):
            return {}

    class WithNeck(TargetGenerator):
        def __init__(self, task, *, neck: Neck):
            pass
        def __call__(self, stride, outputs, labels):
            return {}

    class Unfinished(TargetGenerator):
        def __init__(self, task):
            pass

    class Net(Backbone):
        def __init__(self, *, layers: Layers, pretrained: bool | str | None = None, **kwargs):
            super().__init__(**kwargs)
            self.layers, self.pretrained = layers, pretrained

    class Plain(Backbone):
        pass

    class Top(Head):
        def __init__(self, features, task, *, stride: int = 1):
            super().__init__()
            self.features, self.task, self.stride = features, task, stride

    class Loss(Criterion):
        pass

    class Noise(Transform):
        def __init__(self, task, *, sigma: float = 12.75, p: float = 0.5):
            self.task, self.sigma, self.p = task, sigma, p
        def __call__(self, sample, rng):
            return sample

    class Inner(pydantic.BaseModel):
        size: pydantic.PositiveInt

    class Model(TargetGenerator):
        def __init__(self, task, *, size: int):
            Inner(size=size)
        def __call__(self, stride, outputs, labels):
            return {}
"""
OPTIONS = """
    import pydantic
    class Layers(pydantic.BaseModel, extra="forbid"):
        channels: list[int]
"""

TASK = PoseTask(("nose", "tail"))


@pytest.fixture
def host(make_package, host_of):
    name = make_package(parts=PARTS, options=OPTIONS)

    def offer(*names: str) -> list[Component]:
        return [Component(n, f"{name}.parts:{n}") for n in names]

    return host_of(
        target_generators=[
            *offer("Generator", "Several", "WithNeck", "Unfinished", "Model"),
            Component("Alien", f"{name}.parts:Noise"),
            Component("Broken", f"{name}.missing:Thing", extra="acme[all]"),
        ],
        backbones=offer("Net", "Plain"),
        necks=[Component("Neck", f"{name}.parts:Neck")],
        heads=offer("Top"),
        criteria=offer("Loss"),
        transforms=[Component("noise", f"{name}.parts:Noise")],
    )


def test_a_component_gets_what_is_supplied_and_its_options_coerced(host):
    block = {"type": "Generator", "sigma": "1e-1", "width": None}
    built = build(host, "target_generators", block, TASK, key="k")
    assert isinstance(built, TargetGenerator)
    assert (built.task, built.sigma, built.width) == (TASK, 0.1, None)


def test_a_qualified_name_finds_the_component(host):
    assert build(host, "target_generators", {"type": "fake/Generator"}, TASK).sigma == 1.0


def test_models_and_options_of_the_base_reach_the_constructor(host):
    block = {"type": "Net", "layers": {"channels": [1]}, "freeze_bn_stats": True}
    built = build(host, "backbones", block)
    assert built.layers.channels == [1]
    assert built.freeze_bn_stats is True


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"pretrained": None}, True),
        ({"pretrained": False}, False),
        ({"pretrained": "weights.pt"}, "weights.pt"),
    ],
)
def test_the_engine_fills_in_what_the_block_leaves_out(host, given, expected):
    block = {"type": "Net", "layers": {"channels": []}, **given}
    assert build(host, "backbones", block, pretrained=True).pretrained == expected


def test_the_engine_fills_in_nothing_that_the_component_does_not_take(host):
    build(host, "backbones", {"type": "Plain"}, pretrained=True)


def test_keys_of_the_engine_are_left_aside(host):
    block = {
        "type": "Top", "stride": 2, "predictor": {}, "target_generator": {}, "criterion": {},
        "weight_init": "normal", "aggregator": None,
    }  # fmt: skip
    assert build(host, "heads", block, "features", TASK).stride == 2
    build(host, "criteria", {"type": "Loss", "weight": 0.5})


def test_nested_blocks_become_components_with_the_same_task(host):
    inner = {"type": "Generator", "sigma": 2}
    block = {
        "type": "Several",
        "generators": [inner, {"type": "Several", "generators": [inner]}],
        "by_name": {"a": inner},
        "pair": [inner, inner],
    }
    built = build(host, "target_generators", block, TASK, key="k")
    assert [g.task for g in built.generators] == [TASK, TASK]
    assert built.generators[1].generators[0].sigma == 2.0
    assert built.by_name["a"].sigma == 2.0
    assert [g.sigma for g in built.pair] == [2.0, 2.0]
    assert block["generators"][0] is inner  # the config stays as it is


@pytest.mark.parametrize(
    ("kind", "block", "key", "words"),
    [
        ("target_generators", {}, "k", "missing key 'type', the name of a target generator"),
        ("target_generators", {"type": "Genrator"}, "k.type", "did you mean 'Generator'?"),
        ("target_generators", {"type": "Net"}, "k.type", "is a backbone, not a target generator"),
        ("target_generators", {"type": "Generator", "sgma": 1}, "k.sgma", "did you mean 'sigma'?"),
        ("target_generators", {"type": "Generator", "sigma": "x"}, "k.sigma", "must be a number"),
        ("target_generators", {"type": "Generator", "sigma": -1}, "k.sigma", "sigma must be"),
        ("target_generators", {"type": "Several"}, "k", "missing key 'generators'"),
        ("target_generators", {"type": "Several", "generators": [{"type": "X"}]},
         "k.generators[0].type", "no plugin offers"),
        ("target_generators", {"type": "Several", "generators": [{"type": "Generator",
         "sigma": 0}]}, "k.generators[0].sigma", "sigma must be positive"),
        ("target_generators", {"type": "WithNeck", "neck": {"type": "Neck"}}, "k.neck",
         "a neck cannot be nested in a target generator"),
        ("target_generators", {"type": "Model", "size": 0}, "k.size", "greater than 0"),
        ("backbones", {"type": "Net", "layers": {"chanels": []}}, "k.layers.chanels",
         "did you mean 'channels'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_block_is_told_by_key(host, kind, block, key, words):
    with pytest.raises(ConfigError) as error:
        build(host, kind, block, *([TASK] if kind == "target_generators" else []), key="k")
    assert [p.key for p in error.value.problems] == [key]
    assert words in error.value.problems[0].message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Alien", "is no subclass of dlcore.interfaces.TargetGenerator"),
        ("Unfinished", "does not define __call__"),
        ("Broken", "pip install 'acme[all]'"),
    ],
)
def test_a_component_that_breaks_its_interface_says_so(host, name, words):
    with pytest.raises(ComponentError) as error:
        build(host, "target_generators", {"type": name}, TASK)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("value", "sigma", "p"),
    [(True, 12.75, 0.5), (3, 3.0, 0.5), ({"p": 1}, 12.75, 1.0), ({}, 12.75, 0.5)],
)
def test_a_transform_is_built_from_any_form_of_its_value(host, value, sigma, p):
    built = build_transform(host, "noise", value, TASK, "data.train.noise")
    assert (built.task, built.sigma, built.p) == (TASK, sigma, p)


def test_an_unknown_transform_is_told_by_its_key(host):
    with pytest.raises(ConfigError) as error:
        build_transform(host, "nois", True, TASK, "data.train.nois")
    assert error.value.problems[0].key == "data.train.nois"
    assert "did you mean 'noise'?" in error.value.problems[0].message
