from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcore.interfaces import FeatureSpec
from dlcore.testing import check_backbone
from dlcore_plugins.cspnext.backbone import CSPNeXt

TINY: dict[str, Any] = {"deepen_factor": 0.1, "widen_factor": 0.125}
SIZES = {
    "cspnext_s": {"deepen_factor": 0.33, "widen_factor": 0.5},
    "cspnext_m": {"deepen_factor": 0.67, "widen_factor": 0.75},
    "cspnext_x": {"deepen_factor": 1.33, "widen_factor": 1.25},
}


@pytest.mark.parametrize(
    ("options", "features"),
    [
        ({}, FeatureSpec(channels=128, stride=32)),
        ({"arch": "P6"}, FeatureSpec(channels=128, stride=64)),
        ({"out_indices": 3}, FeatureSpec(channels=64, stride=16)),
        ({"out_indices": [2, 0]}, (FeatureSpec(8, 2), FeatureSpec(32, 8))),
        ({"out_indices": [-1]}, FeatureSpec(channels=128, stride=32)),
        ({"channel_attention": False, "activation_fn": "ReLU"}, FeatureSpec(128, 32)),
        ({"norm_layer": "BN", "expand_ratio": 0.25}, FeatureSpec(128, 32)),
    ],
)
def test_keeps_the_backbone_contract(options: dict[str, Any], features: Any) -> None:
    backbone = CSPNeXt(**TINY | options)

    assert backbone.features == features
    check_backbone(backbone, (128, 128))


@pytest.mark.parametrize("name", SIZES)
def test_state_dict_is_that_of_deeplabcut(shared: Path, name: str) -> None:
    file = shared / "peer/reference/state_dicts" / f"{name}.json"
    known = {
        key.removeprefix("backbone."): tuple(shape)
        for key, (shape, _) in json.loads(file.read_text())["shared"].items()
        if key.startswith("backbone.")
    }

    backbone = CSPNeXt(**SIZES[name])

    own = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    assert own == known
    assert list(own) == list(known)


def test_the_norm_makes_no_difference_to_the_state_dict() -> None:
    synced, plain = (CSPNeXt(**TINY, norm_layer=norm) for norm in ("SyncBN", "BN"))

    assert synced.state_dict().keys() == plain.state_dict().keys()


def test_stages_behind_the_last_map_are_left_out() -> None:
    backbone = CSPNeXt(**TINY, out_indices=[1, 2])

    assert [name for name, _ in backbone.named_children()] == ["stem", "stage1", "stage2"]


def frozen(**options: Any) -> tuple[bool, bool]:
    """Whether statistics and weights of batch norm are frozen in training."""
    backbone = CSPNeXt(**TINY, **options)
    norms = [module for module in backbone.modules() if hasattr(module, "running_mean")]
    (state,) = {(not norm.training, not norm.weight.requires_grad) for norm in norms}
    return state


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (False, False)),
        ({"norm_layer": "BN"}, (True, True)),
        ({"freeze_bn_stats": True}, (True, False)),
        ({"freeze_bn_weights": True}, (False, True)),
        ({"norm_layer": "BN", "freeze_bn_stats": False}, (False, True)),
    ],
)
def test_what_is_frozen_by_default_is_what_deeplabcut_freezes(
    options: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    assert frozen(**options) == expected


def test_an_untrained_network_neither_fades_nor_explodes() -> None:
    torch.manual_seed(0)
    backbone = CSPNeXt(**SIZES["cspnext_s"])

    features = backbone(torch.randn(4, 3, 128, 128))

    assert isinstance(features, torch.Tensor)
    assert 0.1 < float(features.detach().std()) < 10
    convolutions = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    assert all((m.bias is None or not m.bias.any()) for m in convolutions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widen_factor": 0.01}, "widen_factor leaves no channels: 0.01"),
        ({"expand_ratio": 0.01}, "expand_ratio leaves no channels: 0.01"),
        ({"out_indices": 5}, r"out_indices must be different ones from 0 .*4 .*, got 5"),
        ({"out_indices": [4, -1]}, r"out_indices must be different ones .* got \[4, -1\]"),
        ({"out_indices": []}, r"out_indices must be different ones .* got \[\]"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CSPNeXt(**TINY | options)
