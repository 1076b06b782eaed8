"""The configs of net types are DeepLabCut's, key for key."""

import math
import re
from dataclasses import replace

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
    if isinstance(value, list):
        return [without_null(item) for item in value]
    return value


LIMBS_ONLY = {cls.name: cls for cls in (net_types.DLCRNetStride16, net_types.DLCRNetStride32)}
ALL = NET_TYPES | LIMBS_ONLY
TASKS = {
    "single": TASK,
    "multi": replace(TASK, individuals=("mouse1", "mouse2", "mouse3")),
}
TASKS["multi_identity"] = replace(TASKS["multi"], with_identity=True)
TASKS["multi_unique"] = replace(TASKS["multi"], unique_keypoints=("lamp", "door"))
TASKS["multi_identity_unique"] = replace(TASKS["multi_unique"], with_identity=True)


def reference_config(shared, kind, name):
    path = shared / "peer" / "configs" / kind / f"{name}.yaml"
    text = re.sub(r"\b1e-", "1.0e-", path.read_text(encoding="utf-8"))
    return yaml.safe_load(text)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in TASKS for n in ALL if k != "single" or n not in LIMBS_ONLY],
)
def test_a_config_is_the_reference(kind, name, shared):
    reference = without_null(reference_config(shared, kind, name))
    if name in LIMBS_ONLY:  # leaves to the defaults what the others write
        reference["model"].pop("pose_model")
        reference["model"]["heads"]["bodypart"]["predictor"]["apply_sigmoid"] = True

    config = without_null(ALL[name]().config(TASKS[kind]))

    assert config["net_type"] == reference["net_type"] == name
    assert config["method"] == reference["method"]
    assert config["model"] == reference["model"]
    assert config["data"]["train"] == reference["data"]["train"]
    assert config["data"]["inference"] == reference["data"]["inference"]
    for key, value in config["runner"].items():
        assert value == reference["runner"][key]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("kind", ["single", "multi_identity_unique"])
def test_net_types_keep_the_contract(kind, name):
    if name not in LIMBS_ONLY or kind != "single":
        check_net_type(ALL[name](), TASKS[kind])


@pytest.mark.parametrize("name", LIMBS_ONLY)
def test_one_individual_needs_no_limbs(name):
    with pytest.raises(DlcoreError, match=rf"{name}.*there is one; choose another"):
        LIMBS_ONLY[name]().config(TASK)


def test_individuals_of_one_keypoint_are_refused_with_a_way_out():
    task = PoseTask(("body",), individuals=("x", "y"))

    with pytest.raises(DlcoreError, match=r"one keypoint has none; choose .*'dekr_w18'"):
        ResNet50().config(task)


def test_every_call_gives_its_own_config():
    first = ResNet50().config(TASK)
    first["model"]["heads"]["bodypart"]["heatmap_config"]["strides"].append(2)
    first["model"]["backbone"]["output_stride"] = 8
    first["runner"]["scheduler"]["params"]["milestones"].append(150)

    again = ResNet50().config(TASK)

    assert again["model"]["heads"]["bodypart"]["heatmap_config"]["strides"] == [2]
    assert again["model"]["backbone"]["output_stride"] == 16
    assert again["runner"]["scheduler"]["params"]["milestones"] == [90, 120]


@pytest.mark.parametrize("name", ALL)
def test_size_cost_and_stride_are_those_of_the_network(name, host):
    net_type = ALL[name]
    config = net_type().config(TASKS["multi" if name in LIMBS_ONLY else "single"])
    block = {**config["model"]["backbone"], "pretrained": False}
    backbone = build(host, "backbones", block).eval().to("meta")

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        backbone(torch.zeros(1, 3, 256, 256, device="meta"))

    trainable = sum(p.numel() for p in backbone.parameters() if p.requires_grad)
    assert net_type.parameters == pytest.approx(trainable / 1e6, abs=0.051)
    multiplications = counter.get_total_flops() / 2
    assert net_type.gflops == pytest.approx(multiplications / 1e9, abs=0.051)
    head = config["model"]["heads"]["bodypart"]
    doublings = math.prod(head["heatmap_config"]["strides"]) * (2 if name in LIMBS_ONLY else 1)
    assert net_type.stride == backbone.features.stride / doublings
    assert config["model"]["backbone_output_channels"] == backbone.features.channels
