from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from dlcore import ConfigError
from dlcore.interfaces import FeatureSpec
from dlcore.testing import check_backbone
from dlcore_plugins.conditional.coam import HRNetCoAM
from dlcore_plugins.conditional.options import StackedKeypointEncoderOptions
from tests.plugins.conditional.reference import (
    WithPose,
    backbone_shapes,
    build_backbone,
    expect_outputs_of_deeplabcut,
)

SMALL = "hrnet_w18_small"
ENCODER = StackedKeypointEncoderOptions(type="StackedKeypointEncoder", num_joints=3)
POSE = torch.tensor([[(20.0, 30.0, 2.0), (50.0, 10.0, 1.0), (0.0, 0.0, 0.0)]])
NET_TYPES = ["ctd_coam_w32", "ctd_coam_w48", "ctd_coam_w48_human"]


def small(**options: Any) -> HRNetCoAM:
    torch.manual_seed(0)
    given: dict[str, Any] = {
        "kpt_encoder": ENCODER,
        "base_model_name": SMALL,
        "img_size": [64, 64],
        **options,
    }
    return HRNetCoAM(**given)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"channel_att_only": True, "att_heads": 4},
        {"coam_modules": [1, 3], "selfatt_coam_modules": [2, 4]},
        {"coam_modules": [4], "att_heads": 2, "img_size": [96, 64]},
    ],
)
def test_keeps_the_backbone_contract(options: dict[str, Any]) -> None:
    backbone = small(**options)
    height, width = options.get("img_size", [64, 64])

    assert backbone.features == FeatureSpec(channels=16, stride=4)
    assert backbone.input_size == (width, height)
    check_backbone(WithPose(backbone, POSE), (width, height), odd_size=False)


@pytest.mark.parametrize("net_type", NET_TYPES)
def test_state_dict_is_that_of_deeplabcut(host: Any, shared: Path, net_type: str) -> None:
    backbone = build_backbone(host, shared, net_type)

    own = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    known = backbone_shapes(shared, net_type)
    assert own == known
    assert list(own) == list(known)


@pytest.mark.parametrize("net_type", ["ctd_coam_w32", "ctd_coam_w48_human"])
def test_outputs_are_those_of_deeplabcut(host: Any, shared: Path, net_type: str) -> None:
    expect_outputs_of_deeplabcut(host, shared, net_type)


def test_the_pose_matters() -> None:
    backbone = small().eval()
    images = torch.randn(1, 3, 64, 64)

    with torch.no_grad():
        for module in backbone.coam_stages.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=0.1)
        one, other = backbone(images, POSE), backbone(images, POSE.flip(1))

    assert not torch.allclose(one, other)


def test_attention_drops_out_in_training_only() -> None:
    backbone = small()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert not torch.equal(backbone(images, POSE), backbone(images, POSE))
        backbone.eval()
        assert torch.equal(backbone(images, POSE), backbone(images, POSE))


def test_an_untrained_attention_hardly_changes_the_maps() -> None:
    backbone = small().eval()
    plain = small(coam_modules=[]).eval()
    plain.model.load_state_dict(backbone.model.state_dict())
    images = torch.randn(1, 3, 64, 64)

    with torch.no_grad():
        attended, bare = backbone(images, POSE), plain(images, POSE)

    assert 0 < (attended - bare).std() < 0.3 * bare.std()


def test_crops_of_another_size_are_an_error_with_advice() -> None:
    with pytest.raises(ConfigError, match=r"64 x 64 pixels .* got 32 x 64; set img_size, or"):
        small()(torch.zeros(1, 3, 32, 64), POSE)


def test_batch_norm_is_frozen_unless_the_config_says_otherwise() -> None:
    frozen = small().model.bn1
    free = small(freeze_bn_stats=False, freeze_bn_weights=False).model.bn1

    assert (frozen.training, frozen.weight.requires_grad) == (False, False)
    assert (free.training, free.weight.requires_grad) == (True, True)


def test_local_weights_are_loaded(tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = timm.create_model(SMALL)  # with its classifier
    torch.save(trained.state_dict(), tmp_path / "weights.pth")

    backbone = small(pretrained=str(tmp_path / "weights.pth"))

    own, expected = backbone.model.state_dict(), trained.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in own.items())


def test_weights_that_cannot_be_had_or_do_not_fit_are_an_error(tmp_path: Path) -> None:
    torch.save(timm.create_model("hrnet_w18_small_v2").state_dict(), tmp_path / "weights.pth")

    with pytest.raises(ValueError, match=r"pretrained: .* holds no weights of 'hrnet_w18_small'"):
        small(pretrained=str(tmp_path / "weights.pth"))
    with pytest.raises(ValueError, match="pretrained: true: the weights of 'hrnet_w18_small'"):
        small(pretrained=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_model_name": "resnet50"}, "base_model_name must be one of hrnet_w18, .*'resnet50'"),
        ({"selfatt_coam_modules": [2]}, r"selfatt_coam_modules must not share \[2\]"),
        ({"img_size": [64, 72]}, r"img_size must be multiples of 32, got \[64, 72\]"),
        ({"att_heads": 3}, "att_heads must divide the number of cells of each branch, got 3"),
        (
            {"kpt_encoder": ENCODER.model_copy(update={"img_size": [32, 32]})},
            r"img_size is \[64, 64\], but that of kpt_encoder is \[32, 32\]",
        ),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**options)
