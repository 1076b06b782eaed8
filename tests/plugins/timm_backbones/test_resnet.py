from __future__ import annotations

import json
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from dlcore.interfaces import FeatureSpec
from dlcore.testing import check_backbone
from dlcore_plugins.timm_backbones.resnet import ResNet


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_keeps_the_backbone_contract(output_stride: int) -> None:
    backbone = ResNet(model_name="resnet10t", output_stride=output_stride)

    assert backbone.features == FeatureSpec(channels=512, stride=output_stride)
    check_backbone(backbone)


@pytest.mark.parametrize(
    ("net_type", "model_name"), [("resnet_50", "resnet50_gn"), ("resnet_101", "resnet101")]
)
def test_state_dict_is_that_of_deeplabcut(shared: Path, net_type: str, model_name: str) -> None:
    file = shared / "peer/reference/state_dicts" / f"{net_type}.json"
    known = {
        key.removeprefix("backbone."): tuple(shape)
        for key, (shape, _) in json.loads(file.read_text())["shared"].items()
        if key.startswith("backbone.")
    }

    backbone = ResNet(model_name=model_name, output_stride=16)

    own = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    assert own == known
    assert list(own) == list(known)


def test_the_stages_are_dilated_as_in_deeplabcut() -> None:
    def dilations(output_stride: int) -> list[tuple[int, int]]:
        model = ResNet(model_name="resnet50", output_stride=output_stride).model
        return [
            (block.conv2.stride[0], block.conv2.dilation[0])
            for stage in (model.layer3, model.layer4)
            for block in (stage[0], stage[1])
        ]

    assert dilations(16) == [(2, 1), (1, 1), (1, 1), (1, 2)]
    assert dilations(8) == [(1, 1), (1, 2), (1, 2), (1, 4)]


def test_batch_norm_is_frozen_unless_the_config_says_otherwise() -> None:
    frozen = ResNet(model_name="resnet18").model.bn1
    free = ResNet(model_name="resnet18", freeze_bn_stats=False, freeze_bn_weights=False).model.bn1

    assert (frozen.training, frozen.weight.requires_grad) == (False, False)
    assert (free.training, free.weight.requires_grad) == (True, True)


def test_local_weights_are_loaded(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = timm.create_model("resnet18")
    torch.save(trained.state_dict(), tmp_path / "resnet18.pth")

    backbone = ResNet(model_name="resnet18", pretrained=str(tmp_path / "resnet18.pth"))

    own = backbone.model.state_dict()
    expected = {k: v for k, v in trained.state_dict().items() if not k.startswith("fc.")}
    assert own.keys() == expected.keys()
    assert all(torch.equal(own[key], expected[key]) for key in own)


def test_weights_that_cannot_be_had_are_an_error() -> None:
    with pytest.raises(ValueError, match="pretrained: true: the weights of 'resnet18' cannot be"):
        ResNet(model_name="resnet18", pretrained=True)


def test_stochastic_depth_and_block_reach_the_model() -> None:
    backbone = ResNet(model_name="resnet18", drop_path_rate=0.3, drop_block_rate=0.1)

    names = {type(module).__name__ for module in backbone.modules()}
    assert {"DropPath", "DropBlock2d"} <= names


def test_the_classifier_is_gone_and_nothing_is_pooled() -> None:
    backbone = ResNet(model_name="resnet50_gn", output_stride=16).eval()

    assert isinstance(backbone.model.fc, nn.Identity)
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 64, 96)).shape == (1, 2048, 4, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_name": "resnt50"}, "model_name: timm has no model 'resnt50'; did you mean 'resn"),
        ({"model_name": "resnet50.nobody"}, r"cannot make 'resnet50\.nobody': Invalid pretrained"),
        ({"output_stride": 12}, "output_stride must be 8, 16 or 32, got 12"),
        ({"model_name": "vit_tiny_patch16_224"}, "output_stride: 'vit_tiny_patch16_224' does not"),
        ({"pretrained": "nowhere.pth"}, "pretrained: there is no file"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet(**options)  # type: ignore[arg-type]
