from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcore.interfaces import Backbone, FeatureSpec
from dlcore.testing import check_backbone
from dlcore_plugins.conditional.options import (
    ColoredKeypointEncoderOptions,
    StackedKeypointEncoderOptions,
)
from dlcore_plugins.conditional.prenet import CondPreNet
from tests.plugins.conditional.reference import (
    WithPose,
    backbone_shapes,
    build_backbone,
    expect_outputs_of_deeplabcut,
)

STACKED = StackedKeypointEncoderOptions(type="StackedKeypointEncoder", num_joints=3)
COLORED = ColoredKeypointEncoderOptions(type="ColoredKeypointEncoder", num_joints=3)
POSE = torch.tensor([[(20.0, 30.0, 2.0), (50.0, 10.0, 1.0), (0.0, 0.0, 0.0)]])
NET_TYPES = [
    *(f"ctd_prenet_hrnet_{size}" for size in ("w32", "w48")),
    *(f"ctd_prenet_rtmpose_{size}" for size in ("s", "m", "x", "x_human")),
]


class Inner(Backbone):
    """A small backbone with both sorts of batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.features = FeatureSpec(channels=4, stride=2)
        self.layer = nn.Conv2d(3, 4, 2, stride=2, padding=0, bias=False)
        self.plain, self.synced = nn.BatchNorm2d(4), nn.SyncBatchNorm(4)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.plain(self.layer(images))
        return maps


@pytest.mark.parametrize("encoder", [STACKED, COLORED])
def test_keeps_the_backbone_contract(encoder: Any) -> None:
    inner = Inner()
    inner.synced = nn.Identity()  # type: ignore[assignment]
    backbone = CondPreNet(
        backbone=inner, kpt_encoder=encoder, freeze_bn_stats=False, freeze_bn_weights=False
    )

    assert backbone.features == FeatureSpec(channels=4, stride=2)
    check_backbone(WithPose(backbone, POSE))


@pytest.mark.parametrize("net_type", NET_TYPES)
def test_state_dict_is_that_of_deeplabcut(host: Any, shared: Path, net_type: str) -> None:
    backbone = build_backbone(host, shared, net_type)

    own = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    assert own == backbone_shapes(shared, net_type)


@pytest.mark.parametrize(
    "net_type", ["ctd_prenet_hrnet_w32", "ctd_prenet_rtmpose_s", "ctd_prenet_rtmpose_x_human"]
)
def test_outputs_are_those_of_deeplabcut(host: Any, shared: Path, net_type: str) -> None:
    expect_outputs_of_deeplabcut(host, shared, net_type)


@pytest.mark.parametrize("net_type", ["ctd_prenet_hrnet_w32", "ctd_prenet_rtmpose_m"])
def test_as_much_is_trained_by_default_as_in_deeplabcut(
    host: Any, shared: Path, net_type: str
) -> None:
    file = json.loads((shared / f"peer/reference/state_dicts/{net_type}.json").read_text())
    of_heads = sum(
        torch.Size(shape).numel()
        for key, (shape, _) in {**file["shared"], **file["heads"]["multi"]}.items()
        if key.startswith("heads.")
    )
    backbone = build_backbone(host, shared, net_type).train()

    # DeepLabCut also counts what no output needs, which is not trained here
    unused = [
        parameter
        for name, parameter in backbone.named_parameters()
        if name.startswith("backbone.model.stage4.2.fuse_layers.")
        and not name.startswith("backbone.model.stage4.2.fuse_layers.0.")
        and parameter.ndim > 1
    ]
    trained = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    assert (
        sum(p.numel() for p in [*trained, *unused]) + of_heads
        == file["trainable_in_train_mode"]["multi"]
    )


@pytest.mark.parametrize(
    ("options", "plain", "synced"),
    [
        ({}, (True, True), (False, False)),
        ({"freeze_bn_stats": True}, (True, True), (True, False)),
        ({"freeze_bn_weights": False}, (True, False), (False, False)),
        ({"freeze_bn_stats": False, "freeze_bn_weights": True}, (False, True), (False, True)),
    ],
)
def test_what_is_frozen_by_default_is_what_deeplabcut_freezes(
    options: dict[str, bool], plain: tuple[bool, bool], synced: tuple[bool, bool]
) -> None:
    inner = Inner()
    backbone = CondPreNet(backbone=inner, kpt_encoder=STACKED, **options).train()

    def frozen(norm: Any) -> tuple[bool, bool]:
        return (not norm.training, not norm.weight.requires_grad)

    assert frozen(inner.plain) == frozen(backbone.rgb_preNet[1]) == plain
    assert frozen(inner.synced) == synced


def test_poses_are_drawn_at_the_size_of_the_images() -> None:
    backbone = CondPreNet(backbone=Inner(), kpt_encoder=STACKED).eval()
    images = torch.zeros(1, 3, 32, 80)
    pose = torch.tensor([[(70.0, 20.0, 1.0), (0, 0, 0), (0, 0, 0)]])

    with torch.no_grad():
        drawn = backbone(images, pose) - backbone(images, torch.zeros_like(pose))

    assert drawn[:, :, :, 30:].abs().max() > 0
    assert not drawn[:, :, :, :20].any()


def test_a_backbone_that_takes_poses_itself_is_refused() -> None:
    inner = CondPreNet(backbone=Inner(), kpt_encoder=STACKED)

    with pytest.raises(ValueError, match="backbone: CondPreNet takes rough poses itself"):
        CondPreNet(backbone=inner, kpt_encoder=STACKED)
