from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.models.resnet import BasicBlock
from torch import nn

from dlcore.interfaces import FeatureSpec
from dlcore.testing import check_backbone
from dlcore_plugins.timm_backbones.hrnet import HRNet
from tests.plugins.timm_backbones.reference import Model, backbone_shapes, outputs, shapes_of

SMALL = "hrnet_w18_small"


@pytest.mark.parametrize(
    ("interpolate", "increase", "channels"),
    [(False, False, 16), (True, False, 240), (False, True, 128), (True, True, 1920)],
)
def test_keeps_the_backbone_contract(interpolate: bool, increase: bool, channels: int) -> None:
    backbone = HRNet(
        model_name=SMALL, interpolate_branches=interpolate, increased_channel_count=increase
    )

    assert backbone.features == FeatureSpec(channels=channels, stride=4)
    check_backbone(backbone)


@pytest.mark.parametrize("net_type", ["hrnet_w18", "hrnet_w32", "hrnet_w48", "dekr_w18"])
def test_state_dict_is_that_of_deeplabcut(shared: Path, net_type: str) -> None:
    name = net_type.replace("dekr", "hrnet")

    backbone = HRNet(model_name=name, interpolate_branches=net_type.startswith("dekr"))

    own, known = shapes_of(backbone), backbone_shapes(shared, net_type)
    assert own == known
    assert list(own) == list(known)


def test_interpolated_branches_equal_deeplabcut(shared: Path) -> None:
    """Through the heatmap branch of a DEKR head, which is all that the reference shows."""
    expected, images, seed = outputs(shared, "single_dekr_w18")
    heatmap, block = expected["bodypart/heatmap"], BasicBlock(18, 18)
    reduce = nn.Sequential(nn.Conv2d(270, 18, 1, bias=False), nn.BatchNorm2d(18), nn.ReLU())
    layers = nn.Sequential(
        OrderedDict(
            transition_heatmap=reduce,
            head_heatmap=nn.Sequential(nn.Sequential(block), nn.Conv2d(18, 7, 1)),
        )
    )
    model = Model(HRNet(model_name="hrnet_w18", interpolate_branches=True), heatmap_head=layers)

    model.load_keyed_weights(seed)
    with torch.no_grad():
        found = layers(model.backbone(images)).numpy()

    assert abs(found - heatmap).max() < 1e-4 * heatmap.std()


@pytest.mark.parametrize("size", [(65, 32), (33, 71), (100, 64)])
def test_images_of_any_size_are_filled_up_with_the_mean_colour(size: tuple[int, int]) -> None:
    height, width = size
    backbone = HRNet(model_name=SMALL, interpolate_branches=True).eval()
    images = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    whole = torch.zeros(1, 3, 128, 96)
    whole = whole[:, :, : (height + 31) // 32 * 32, : (width + 31) // 32 * 32]
    whole[:, :, :height, :width] = images

    with torch.no_grad():
        cut, full = backbone(images), backbone(whole)

    assert cut.shape[2:] == ((height + 3) // 4, (width + 3) // 4)
    assert torch.equal(cut, full[:, :, : cut.shape[2], : cut.shape[3]])


def test_what_no_output_needs_is_not_trained() -> None:
    """In training on several devices, a trainable weight without gradient is an error."""
    finest = HRNet(model_name=SMALL, increased_channel_count=True, freeze_bn_weights=False)
    frozen = {name for name, p in finest.named_parameters() if not p.requires_grad}
    coarse = [
        f"model.{part}.{branch}."
        for part in ("stage4.0.fuse_layers", "incre_modules")
        for branch in (1, 2, 3)
    ]

    assert frozen == {n for n, _ in finest.named_parameters() if n.startswith(tuple(coarse))}
    assert frozen
    whole = HRNet(model_name=SMALL, interpolate_branches=True, freeze_bn_weights=False)
    assert all(parameter.requires_grad for parameter in whole.parameters())


def test_batch_norm_is_frozen_unless_the_config_says_otherwise() -> None:
    frozen = HRNet(model_name=SMALL).model.bn1
    free = HRNet(model_name=SMALL, freeze_bn_stats=False, freeze_bn_weights=False).model.bn1

    assert (frozen.training, frozen.weight.requires_grad) == (False, False)
    assert (free.training, free.weight.requires_grad) == (True, True)


def test_local_weights_are_loaded(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = timm.create_model(SMALL)
    torch.save(trained.state_dict(), tmp_path / "weights.pth")

    backbone = HRNet(
        model_name=SMALL,
        pretrained=str(tmp_path / "weights.pth"),
        increased_channel_count=True,
    )

    own, expected = backbone.model.state_dict(), trained.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in own.items())


def test_weights_that_cannot_be_had_are_an_error() -> None:
    with pytest.raises(ValueError, match="pretrained: true: the weights of 'hrnet_w32' cannot be"):
        HRNet(pretrained=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_name": "hrnet_w33"}, "timm has no model 'hrnet_w33'; did you mean 'hrnet_w3"),
        ({"model_name": "resnet50"}, "model_name must be an HRNet such as 'hrnet_w32', got 'res"),
        ({"stride": 2}, "stride of an HRNet is 4, got 2"),
        ({"pretrained": "nowhere.pth"}, "pretrained: there is no file"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HRNet(**options)
