from __future__ import annotations

import pytest

from dlcore import Component, ConfigError
from dlcore.config.explain import explain
from dlcore.config.loading import Provenance, load_config

PARTS = """
    from __future__ import annotations
    from collections.abc import Sequence
    from dlcore.interfaces import *

    SIZE = 5

    class Net(Backbone):
        '''A net.

        Args:
            size: How big.
        '''
        def __init__(self, *, size: int = SIZE, width: float = 2.0, seed=make()): pass

    class Top(Head):
        def __init__(self, features, task, *, upsampling: int = 2): pass

    class Decode(Predictor):
        def __init__(self, task, *, sigmoid: bool = True): pass

    class Make(TargetGenerator):
        def __init__(self, task, *, sigma: float = 3.0): pass

    class Many(TargetGenerator):
        def __init__(self, task, *, generators: Sequence[TargetGenerator]): pass

    class MSE(Criterion):
        def __init__(self, *, delta: float = 1.0): pass

    class Normal(WeightInitializer):
        def __init__(self, *, std: float = 0.001): pass

    class Noise(Transform):
        def __init__(self, task, *, sigma: float = 12.75, p: float = 0.5): pass
"""

CONFIG = """\
model:
  backbone: {type: Net, width: }
  heads:
    bodypart:
      type: Top
      weight_init: normal
      predictor: {type: Decode, sigmoid: false}
      target_generator:
        type: Many
        generators:
        - {type: Make}
      criterion: {type: MSE, weight: 0.5}
data:
  bbox_margin:
  train: {noise: 3}
  inference: {noise: true}
inference:
  conditions: {"odd[name]": 1, "": 2}
runner:
  optimizer: {type: SGD, params: {lr: 1e-2}}
  scheduler:
    type: SequentialLR
    params:
      milestones: [5]
      schedulers:
      - {type: ConstantLR, params: {factor: 0.1}}
      - {type: StepLR, params: {step_size: 2}}
"""


@pytest.fixture
def explained(make_package, host_of, tmp_path):
    name = make_package(parts=PARTS)

    def offer(*names):
        return [Component(n, f"{name}.parts:{n}") for n in names]

    host = host_of(
        backbones=offer("Net"), heads=offer("Top"), predictors=offer("Decode"),
        target_generators=offer("Make", "Many"), criteria=offer("MSE"),
        weight_initializers=offer("Normal"),
        transforms=[Component("noise", f"{name}.parts:Noise")],
    )  # fmt: skip
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    loaded = load_config(path, host, ["train_settings.seed=7"])

    def run(key=None):
        return explain(loaded, host, key)

    return run


@pytest.mark.parametrize(
    ("key", "value", "provenance", "component"),
    [
        ("train_settings.seed", 7, Provenance("set"), None),
        ("train_settings.epochs", 200, Provenance("default"), None),
        ("data.bbox_margin", 25, Provenance("default", 14), None),
        ("model.backbone.type", "Net", Provenance("file", 2), None),
        ("model.backbone.size", 5, Provenance("default"), "fake/Net"),
        ("model.backbone.width", 2.0, Provenance("default"), "fake/Net"),
        ("model.backbone.seed", "make()", Provenance("default"), "fake/Net"),
        ("model.heads.bodypart.upsampling", 2, Provenance("default"), "fake/Top"),
        ("model.heads.bodypart.weight_init", "normal", Provenance("file", 6), None),
        ("model.heads.bodypart.weight_init.std", 0.001, Provenance("default"), "fake/Normal"),
        ("model.heads.bodypart.predictor.sigmoid", False, Provenance("file", 7), "fake/Decode"),
        ("model.heads.bodypart.target_generator.generators[0].sigma", 3.0,
         Provenance("default"), "fake/Make"),
        ("model.heads.bodypart.criterion.weight", 0.5, Provenance("file", 12), None),
        ("model.heads.bodypart.criterion.delta", 1.0, Provenance("default"), "fake/MSE"),
        ("data.train.noise", 3, Provenance("file", 15), None),
        ("data.train.noise.p", 0.5, Provenance("default"), "fake/noise"),
        ("data.inference.noise.sigma", 12.75, Provenance("default"), "fake/noise"),
        ("runner.optimizer.params.lr", 0.01, Provenance("file", 20), "torch.optim.SGD"),
        ("runner.optimizer.params.momentum", 0, Provenance("default"), "torch.optim.SGD"),
        ("runner.scheduler.params.milestones", [5], Provenance("file", 24),
         "torch.optim.lr_scheduler.SequentialLR"),
        ("runner.scheduler.params.schedulers[1].params.gamma", 0.1, Provenance("default"),
         "torch.optim.lr_scheduler.StepLR"),
    ],
)  # fmt: skip
def test_each_value_is_told_with_its_source(explained, key, value, provenance, component):
    found = [item for item in explained() if item.key == key]
    assert [(i.value, i.provenance, i.component) for i in found] == [
        (value, provenance, component)
    ]  # fmt: skip


def test_no_key_comes_twice(explained):
    keys = [item.key for item in explained()]
    assert len(keys) == len(set(keys))


def test_values_are_described(explained):
    descriptions = {item.key: item.description for item in explained()}
    assert descriptions["model.backbone.size"] == "How big."
    assert "Epochs in all" in descriptions["train_settings.epochs"]


def test_a_key_selects_what_is_at_and_below_it(explained):
    assert [item.key for item in explained("runner.optimizer.params.lr")] == [
        "runner.optimizer.params.lr"
    ]
    below = [item.key for item in explained("model.backbone")]
    assert below == [f"model.backbone.{name}" for name in ("type", "width", "size", "seed")]
    transform = [item.key for item in explained("data.train.noise")]
    assert transform == ["data.train.noise", "data.train.noise.p"]


def test_an_item_of_a_list_is_told_too(explained):
    (item,) = explained("runner.scheduler.params.milestones[0]")
    assert (item.value, item.provenance) == (5, Provenance("file", 24))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("train_settings.epoch", "did you mean 'train_settings.epochs'?"),
        ("model.backbon", "did you mean 'model.backbone'?"),
        ("zzz", "there is no key 'zzz'"),
        ("a..b", "there is no key 'a..b'"),
    ],
)
def test_an_unknown_key_names_the_nearest(explained, key, words):
    with pytest.raises(ConfigError) as error:
        explained(key)
    assert words in str(error.value)
