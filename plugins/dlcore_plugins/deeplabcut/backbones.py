"""The backbones of DeepLabCut's net types, each with how it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FAST: Mapping[str, Any] = {
    "optimizer": {"type": "AdamW", "params": {"lr": 5e-4}},
    "scheduler": {
        "type": "LRListScheduler",
        "params": {"lr_list": [[1e-4], [1e-5]], "milestones": [90, 120]},
    },
}
"""Optimizer and schedule of networks that bear a high learning rate."""

GENTLE: Mapping[str, Any] = {
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-4}},
    "scheduler": {
        "type": "LRListScheduler",
        "params": {"lr_list": [[1e-5], [1e-6]], "milestones": [160, 190]},
    },
}
"""Those of the others."""

MULTIPLES_OF_32: Mapping[str, Any] = {
    "auto_padding": {"pad_width_divisor": 32, "pad_height_divisor": 32}
}
"""The transform for networks that halve an image five times and join the maps again."""

TRAINED_NORMS: Mapping[str, Any] = {"freeze_bn_stats": False, "freeze_bn_weights": False}
"""The options of a backbone whose batch-norm layers learn."""


@dataclass(frozen=True)
class BackboneSpec:
    """A backbone as a config names it.

    Attributes:
        name: What a config file has as `net_type`, with heatmaps on top.
        block: Type and options.
        channels: Channels of its map.
        runner: Optimizer and schedule.
        fitting: Transforms that it needs in training and inference.
    """

    name: str
    block: Mapping[str, Any]
    channels: int
    runner: Mapping[str, Any]
    fitting: Mapping[str, Any] = field(default_factory=dict)


def _resnet(name: str, model_name: str) -> BackboneSpec:
    block = {"type": "ResNet", "model_name": model_name, "output_stride": 16, **TRAINED_NORMS}
    return BackboneSpec(name, block, 2048, FAST)


def hrnet_block(width: int, **options: Any) -> dict[str, Any]:
    """The block of an HRNet; `options` go before what is usual."""
    return {
        "type": "HRNet",
        "model_name": f"hrnet_w{width}",
        **TRAINED_NORMS,
        "interpolate_branches": False,
        "increased_channel_count": False,
        **options,
    }


def _hrnet(width: int) -> BackboneSpec:
    block = hrnet_block(width, freeze_bn_stats=True)
    return BackboneSpec(f"hrnet_w{width}", block, width, GENTLE, MULTIPLES_OF_32)


def _cspnext(name: str, channels: int, depth: float, width: float) -> BackboneSpec:
    factors = {"deepen_factor": depth, "widen_factor": width}
    block = {"type": "CSPNeXt", "model_name": name, **TRAINED_NORMS, **factors}
    return BackboneSpec(name, block, channels, FAST)


def _dlcrnet(output_stride: int) -> BackboneSpec:
    block = {
        "type": "DLCRNet",
        "model_name": "resnet50",
        "pretrained": True,
        "output_stride": output_stride,
    }
    runner = {"eval_interval": 25, **GENTLE}
    return BackboneSpec(f"dlcrnet_stride{output_stride}_ms5", block, 2304, runner)


RESNET_50 = _resnet("resnet_50", "resnet50_gn")
RESNET_101 = _resnet("resnet_101", "resnet101")
HRNET_W18 = _hrnet(18)
HRNET_W32 = _hrnet(32)
HRNET_W48 = _hrnet(48)
CSPNEXT_S = _cspnext("cspnext_s", 512, 0.33, 0.5)
CSPNEXT_M = _cspnext("cspnext_m", 768, 0.67, 0.75)
CSPNEXT_X = _cspnext("cspnext_x", 1280, 1.33, 1.25)
DLCRNET_STRIDE16 = _dlcrnet(16)
DLCRNET_STRIDE32 = _dlcrnet(32)
