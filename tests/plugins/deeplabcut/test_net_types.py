"""The configs of net types are DeepLabCut's, key for key."""

import re

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from dlcore import DlcoreError
from dlcore.building import build
from dlcore.interfaces import PoseTask
from dlcore.testing import check_net_type
from dlcore_plugins.deeplabcut import net_types
from dlcore_plugins.deeplabcut.net_types import ResNet50

NET_TYPES = {
    cls.name: cls
    for cls in (
        net_types.ResNet50,
        net_types.ResNet101,
        net_types.HRNetW18,
        net_types.HRNetW32,
        net_types.HRNetW48,
        net_types.CSPNeXtS,
        net_types.CSPNeXtM,
        net_types.CSPNeXtX,
    )
}
TASK = PoseTask(("snout", "leftear", "rightear", "shoulder", "spine", "tailbase"))


def without_null(value):
    if isinstance(value, dict):
        return {k: without_null(v) for k, v in value.items() if v is not None and v is not False}
    return value


@pytest.mark.parametrize("name", NET_TYPES)
def test_a_single_animal_config_is_the_reference(name, shared):
    path = shared / "peer" / "configs" / "single" / f"{name}.yaml"
    text = re.sub(r"\b1e-", "1.0e-", path.read_text(encoding="utf-8"))
    reference = without_null(yaml.safe_load(text))

    config = without_null(NET_TYPES[name]().config(TASK))

    assert config["net_type"] == reference["net_type"] == name
    assert config["method"] == reference["method"]
    assert config["model"] == reference["model"]
    assert config["data"]["train"] == reference["data"]["train"]
    assert config["data"]["inference"] == reference["data"]["inference"]
    for key in ("optimizer", "scheduler"):
        assert config["runner"][key] == reference["runner"][key]


@pytest.mark.parametrize("name", NET_TYPES)
def test_unique_bodyparts_get_the_references_head(name, shared):
    path = shared / "peer" / "configs" / "multi_unique" / f"{name}.yaml"
    reference = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]["heads"]

    config = NET_TYPES[name]().config(PoseTask(("a",), ("lamp", "door")))

    assert config["model"]["heads"]["unique_bodypart"] == reference["unique_bodypart"]


@pytest.mark.parametrize("name", NET_TYPES)
def test_net_types_keep_the_contract(name):
    check_net_type(NET_TYPES[name](), TASK)


@pytest.mark.parametrize("name", NET_TYPES)
def test_several_individuals_are_refused_for_want_of_a_head(name):
    with pytest.raises(DlcoreError, match=rf"{name}.*3 individuals.*part affinity fields"):
        NET_TYPES[name]().config(PoseTask(("a",), individuals=("x", "y", "z")))


def test_every_call_gives_its_own_config():
    first = ResNet50().config(TASK)
    first["model"]["heads"]["bodypart"]["heatmap_config"]["strides"].append(2)
    first["model"]["backbone"]["output_stride"] = 8
    first["runner"]["scheduler"]["params"]["milestones"].append(150)

    again = ResNet50().config(TASK)

    assert again["model"]["heads"]["bodypart"]["heatmap_config"]["strides"] == [2]
    assert again["model"]["backbone"]["output_stride"] == 16
    assert again["runner"]["scheduler"]["params"]["milestones"] == [90, 120]


@pytest.mark.parametrize("name", NET_TYPES)
def test_size_cost_and_stride_are_those_of_the_network(name, host):
    config = NET_TYPES[name]().config(TASK)
    backbone = build(host, "backbones", config["model"]["backbone"]).eval().to("meta")

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(torch.zeros(1, 3, 256, 256, device="meta"))

    trainable = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
    assert NET_TYPES[name].parameters == pytest.approx(trainable / 1e6, abs=0.051)
    multiplications = counter.get_total_flops() / 2
    assert NET_TYPES[name].gflops == pytest.approx(multiplications / 1e9, abs=0.051)
    (doubling,) = config["model"]["heads"]["bodypart"]["heatmap_config"]["strides"]
    assert NET_TYPES[name].stride == backbone.features.stride / doubling
    assert config["model"]["backbone_output_channels"] == backbone.features.channels
