"""What net types say they cost is what they cost: measured on models without weights."""

from __future__ import annotations

import pytest
import torch
from importlib_metadata import entry_points
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dlcore import DlcoreError
from dlcore.config.schema import RunConfig
from dlcore.engine.assembly import build_model, input_size_of
from dlcore.hookspecs import ENTRY_POINT_GROUP
from dlcore.interfaces import PoseTask
from dlcore.plugin_host import PluginHost

HOST = PluginHost.from_entry_points(
    entry_point
    for entry_point in entry_points(group=ENTRY_POINT_GROUP)
    if entry_point.dist is not None and entry_point.dist.name == "dlcore"
)
NET_TYPES = {entry.name: entry.component for entry in HOST.registries["net_types"]}
KEYPOINTS = ("nose", "ear", "neck", "back", "hip", "tail")
SIZE = (256, 256)
NOT_COUNTED = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.ReLU, nn.SiLU, nn.GELU, nn.Dropout)


def model_of(net_type):
    """The pose model for six keypoints of one individual, or two, and its config."""
    for individuals in (("a",), ("a", "b")):
        task = PoseTask(KEYPOINTS, individuals=individuals)
        try:
            config = RunConfig.model_validate(net_type.config(task))
        except DlcoreError:
            continue
        with torch.device("meta"):
            return build_model(HOST, config, task, fresh=False).to("meta").eval(), config
    raise AssertionError("does neither one individual nor two")


@torch.no_grad()
def multiply_adds(model, config):
    """For one image, in billions. The model is spoilt."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NOT_COUNTED):
                setattr(module, name, nn.Identity())  # or they would take half of the time
    width, height = input_size_of(model) or SIZE
    images = torch.zeros(1, 3, height, width, device="meta")
    pose = torch.zeros(1, len(KEYPOINTS), 3, device="meta") if config.method == "ctd" else None
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        model(images, pose)
    return counter.get_total_flops() / 2e9


@pytest.mark.parametrize("name", NET_TYPES)
def test_a_net_type_costs_what_it_says(name):
    net_type = NET_TYPES[name].load()()

    model, config = model_of(net_type)

    trained = sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6
    assert trained == pytest.approx(net_type.parameters, rel=0.05)
    assert multiply_adds(model, config) == pytest.approx(net_type.gflops, rel=0.05)
    assert model.strides["bodypart"] == net_type.stride
    assert net_type.approach == config.method
