from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from dlcore.interfaces import FeatureSpec
from dlcore.testing import check_backbone
from dlcore_plugins.timm_backbones.dlcrnet import DLCRNet
from tests.plugins.timm_backbones.reference import Model, backbone_shapes, outputs, shapes_of

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_keeps_the_backbone_contract() -> None:
    backbone = DLCRNet(output_stride=16)

    assert backbone.features == FeatureSpec(channels=2304, stride=16)
    check_backbone(backbone)


@pytest.mark.parametrize("stride", [16, 32])
def test_state_dict_is_that_of_deeplabcut(shared: Path, stride: int) -> None:
    own = shapes_of(DLCRNet(output_stride=stride))

    known = backbone_shapes(shared, f"dlcrnet_stride{stride}_ms5")
    assert own == known
    assert list(own) == list(known)


@pytest.mark.parametrize("stride", [16, 32])
def test_features_equal_deeplabcut(shared: Path, stride: int) -> None:
    """Through the offsets of its head, which are a few deconvolutions of the features."""
    expected, images, seed = outputs(shared, f"multi_dlcrnet_stride{stride}_ms5")
    locref = expected["bodypart/locref"]
    double = nn.ConvTranspose2d(2304, 12, 3, stride=2, padding=1, output_padding=1)
    channels = {16: [12, 12], 32: [12, 1152, 12]}[stride]
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.ConvTranspose2d(before, after, 3, stride=2), nn.ReLU()]
    head = nn.ModuleDict({"deconv_layers": nn.Sequential(*layers[:-1])})
    model = Model(DLCRNet(output_stride=stride), convt2=double, locref_head=head)

    model.load_keyed_weights(seed)
    with torch.no_grad():
        found = head["deconv_layers"](double(model.backbone(images))).numpy()

    assert abs(found - locref).max() < 1e-4 * locref.std()


def gradient_through_taps(backbone: DLCRNet) -> float:
    """What of the first 256 channels, those of the taps, arrives in the ResNet."""
    backbone(IMAGES)[:, :256].square().sum().backward()
    gradients = [p.grad for p in backbone.model.parameters() if p.grad is not None]
    return sum(float(gradient.abs().sum()) for gradient in gradients)


def test_no_gradient_flows_through_the_taps_unless_it_is_asked_for() -> None:
    assert gradient_through_taps(DLCRNet()) == 0
    assert gradient_through_taps(DLCRNet(detach_taps=False)) > 0


def test_works_in_mixed_precision() -> None:
    backbone = DLCRNet(output_stride=16).eval()

    with torch.no_grad():
        expected = backbone(IMAGES)
        with torch.autocast("cpu", torch.bfloat16):
            features = backbone(IMAGES)

    assert features.dtype == torch.bfloat16
    assert float((features - expected).abs().mean()) < 0.03 * float(expected.abs().mean())


def test_batch_norm_is_frozen_unless_the_config_says_otherwise() -> None:
    def norms(backbone: DLCRNet) -> set[tuple[bool, bool]]:
        layers = (backbone.model.bn1, backbone.conv_block1[1])
        return {(layer.training, layer.weight.requires_grad) for layer in layers}

    assert norms(DLCRNet()) == {(False, False)}
    assert norms(DLCRNet(freeze_bn_stats=False, freeze_bn_weights=False)) == {(True, True)}


def test_local_weights_go_into_the_resnet(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = timm.create_model("resnet50")
    torch.save(trained.state_dict(), tmp_path / "resnet50.pth")

    backbone = DLCRNet(pretrained=str(tmp_path / "resnet50.pth"))

    own, expected = backbone.model.state_dict(), trained.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in own.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_stride": 4}, "output_stride must be 8, 16 or 32, got 4"),
        ({"model_name": "resnet18"}, "model_name must be a ResNet with bottlenecks .* 'resnet18'"),
        ({"model_name": "resnt50"}, "timm has no model 'resnt50'; did you mean 'resnet50'"),
        ({"pretrained": True}, "pretrained: true: the weights of 'resnet50' cannot be had"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DLCRNet(**options)
