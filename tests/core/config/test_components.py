from __future__ import annotations

import pytest

from dlcore import Component
from dlcore.config.components import ComponentChecker

HEAD = {
    "type": "Top",
    "channels": [1],
    "predictor": {"type": "Decode"},
    "target_generator": {"type": "Make"},
    "criterion": {"type": "MSE"},
}


@pytest.fixture
def check(fakes, host_of):
    def run(values, **more):
        offers = {kind: [*found, *more.get(kind, [])] for kind, found in fakes.items()}
        checker = ComponentChecker(host_of(**offers), {"num_bodyparts": 3})
        checker.check(values)
        return [(problem.key, problem.message) for problem in checker.problems]

    return run


def head(**changes):
    return {"model": {"heads": {"a": {**HEAD, **changes}}}}


def scheduler(*inner):
    params = {"milestones": [5], "schedulers": list(inner)}
    return {"runner": {"scheduler": {"type": "SequentialLR", "params": params}}}


PLACE = "runner.scheduler.params.schedulers[0]"


@pytest.mark.parametrize(
    ("values", "key", "words"),
    [
        ({"model": {"backbone": {"type": 5}}}, "model.backbone.type", "must be a name, not 5"),
        ({"model": {"backbone": {"type": None}}}, "model.backbone.type", "a name, not null"),
        ({"model": {"neck": {"x": 1}}}, "model.neck", "missing key 'type'"),
        (head(predictor="Decode"), "model.heads.a.predictor", "must be a map, not 'Decode'"),
        (head(criterion="MSE"), "model.heads.a.criterion", "must be a map, not 'MSE'"),
        (head(criterion={}), "model.heads.a.criterion", "missing key 'type'"),
        (head(criterion={"heatmap": "MSE"}), "model.heads.a.criterion.heatmap", "must be a map"),
        (head(criterion={"type": "MSE", "weight": float("inf")}), "model.heads.a.criterion.weight",
         "a number of at least 0, not inf"),
        (head(criterion=None), "model.heads.a", "missing key 'criterion'; every head needs one"),
        (head(weight_init=5), "model.heads.a.weight_init", "must be a name or a map, not 5"),
        (head(weight_init={"type": "normal", "st": 1}), "model.heads.a.weight_init.st", "'std'"),
        (head(weight_init={"std": 1}), "model.heads.a.weight_init", "missing key 'type'"),
        (head(channels=["num_limbs"]), "model.heads.a.channels[0]", "has no value here"),
        ({"data": {"train": {"noise": "num_bodyparts"}}}, "data.train.noise", "must be a number"),
        ({"data": {"inference": {"sparkle": 1}}}, "data.inference.sparkle", "no plugin offers"),
        ({"detector": {"data": {"train": {"noise": "x"}}}}, "detector.data.train.noise", "number"),
        ({"runner": {"optimizer": {"type": "Adem"}}}, "runner.optimizer.type",
         "no plugin offers an optimizer named 'Adem', nor does torch; did you mean"),
        ({"runner": {"scheduler": {"type": "Qqqqq"}}}, "runner.scheduler.type", "known are: "),
        (scheduler({"type": "StepLR", "params": 5}), f"{PLACE}.params", "must be a map, not 5"),
        (scheduler({"type": 5}), f"{PLACE}.type", "must be a name, not 5"),
        (scheduler({"type": "ConstantLR", "factor": 1}), f"{PLACE}.factor",
         "options stand under 'params'"),
    ],
)  # fmt: skip
def test_a_block_of_the_wrong_shape_is_one_problem(check, values, key, words):
    found = check(values)
    assert [found_key for found_key, _ in found] == [key]
    assert words in found[0][1]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"model": None, "data": 5, "runner": [], "detector": "x", "logger": "y"},
        {"model": {"backbone": [], "neck": None, "heads": [1]}},
        {"model": {"heads": {"a": None}}},
        {"runner": {"optimizer": {"type": 5}, "scheduler": {"type": 5}}},
        {"runner": {"optimizer": {"type": "AdamW", "params": 5}}},
        {"runner": {"scheduler": {"type": "StepLR", "params": 5}}},
        {"data": {"train": {"sparkle": None, "glitter": False, "collate": False}}},
        {"detector": {"model": {"type": "Find", "pretrained": True}}},
        {"detector": {"model": {"type": "Find", "pretrained_from_imagenet": False}}},
        head(weight_init="NORMAL"),
        head(weight_init=False),
        head(aggregator={"type": "WeightedLossAggregator"}),
    ],
)
def test_what_is_left_to_the_schema_or_harmless_is_no_problem(check, values):
    assert check(values) == []


def test_a_component_that_cannot_be_read_is_one_problem(check):
    broken = Component("Broken", "no_such_package_here:Net", extra="acme")
    found = check({"model": {"backbone": {"type": "Broken", "a": 1}}}, backbones=[broken])
    assert [key for key, _ in found] == ["model.backbone.type"]
    assert "pip install 'acme'" in found[0][1]
    transform = Component("broken", "no_such_package_here:Net")
    found = check({"data": {"train": {"broken": True}}}, transforms=[transform])
    assert [key for key, _ in found] == ["data.train.broken"]


def test_a_name_of_two_plugins_must_be_qualified(fakes, host_of):
    host = host_of(**fakes)
    other = host_of(**fakes)
    for kind, registry in other.registries.items():
        host.registries[kind].add("other", [entry.component for entry in registry])
    checker = ComponentChecker(host, {})
    values = {
        "model": {"backbone": {"type": "Net", "model_name": "a"},
                  "neck": {"type": "other/Net"}},
        "data": {"train": {"noise": 1}},
        "runner": {"scheduler": {"type": "LRListScheduler"}},
    }  # fmt: skip
    checker.check(values)
    found = {problem.key: problem.message for problem in checker.problems}
    assert "fake/Net, other/Net" in found["model.backbone.type"]
    assert "fake/noise, other/noise" in found["data.train.noise"]
    assert "other/LRListScheduler" in found["runner.scheduler.type"]
