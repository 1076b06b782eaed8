from __future__ import annotations

import pytest
import torch

from dlcore.config.options import read_options
from dlcore.interfaces import FeatureSpec
from dlcore_plugins.feature_pyramid.neck import FeaturePyramid
from dlcore_plugins.timm_backbones.timm_backbone import TimmBackbone

MAPS = (FeatureSpec(2, 4), FeatureSpec(2, 8), FeatureSpec(2, 16))


def maps(rows, columns, specs=MAPS, seed=0):
    """Random maps of images of rows x columns pixels."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [(-(-rows // spec.stride), -(-columns // spec.stride)) for spec in specs]
    return tuple(
        torch.randn(2, spec.channels, *size, generator=generator)
        for spec, size in zip(specs, sizes, strict=True)
    )


def transparent(specs=MAPS, **options):
    """A pyramid whose convolutions change nothing: it adds its maps up."""
    neck = FeaturePyramid(specs, channels=2, **options).eval()
    with torch.no_grad():
        for layer in neck.lateral:
            layer.weight.copy_(torch.eye(2)[:, :, None, None])
        neck.smooth.weight.zero_()
        neck.smooth.weight[:, :, 1, 1] = torch.eye(2)
    return neck


def repeated(features, factor):
    return features.repeat_interleave(factor, 2).repeat_interleave(factor, 3)


def test_it_adds_what_each_map_says_of_the_same_pixels():
    given = maps(64, 96)

    joined = transparent()(given)

    expected = given[0] + repeated(given[1], 2) + repeated(given[2], 4)
    torch.testing.assert_close(joined, expected)


def test_maps_of_odd_images_are_cut_and_not_stretched():
    given = maps(41, 53)

    joined = transparent()(given)

    expected = (
        given[0] + (repeated(given[1], 2) + repeated(given[2], 4)[:, :, :12, :14])[:, :, :11, :14]
    )
    torch.testing.assert_close(joined, expected)


def test_a_coarse_map_that_ends_too_soon_is_continued():
    fine, coarse = torch.zeros(1, 2, 5, 5), torch.rand(1, 2, 2, 2)

    joined = transparent(MAPS[:2])((fine, coarse))

    torch.testing.assert_close(joined[:, :, :4, :4], repeated(coarse, 2))
    torch.testing.assert_close(joined[:, :, 4, :4], joined[:, :, 3, :4])


def test_bilinear_maps_keep_their_place():
    """A ramp over the pixels stays that ramp on finer cells."""
    places = torch.arange(8.0).add(0.5).mul(8).expand(1, 2, 8, 8)
    fine = torch.zeros(1, 2, 16, 16)

    joined = transparent(MAPS[:2], interpolation="bilinear")((fine, places))

    expected = torch.arange(16.0).add(0.5).mul(4)
    torch.testing.assert_close(joined[0, 0, 8, 1:-1], expected[1:-1])


def test_strides_that_are_no_multiples_of_each_other():
    specs = (FeatureSpec(2, 4), FeatureSpec(2, 6))

    assert transparent(specs)(maps(48, 48, specs)).shape == (2, 2, 12, 12)


def test_a_chosen_stride_leaves_finer_maps_out():
    neck = transparent(stride=8)
    given = maps(64, 64)

    joined = neck(given)

    assert neck.features == FeatureSpec(2, 8)
    assert len(neck.lateral) == 2
    torch.testing.assert_close(joined, given[1] + repeated(given[2], 2))


def test_normalize_makes_the_scale_of_a_map_irrelevant():
    wide = tuple(FeatureSpec(16, spec.stride) for spec in MAPS)
    neck = FeaturePyramid(wide, channels=4, normalize=True).eval()
    fine, middle, coarse = maps(64, 64, wide)

    torch.testing.assert_close(
        neck((fine, middle, coarse)), neck((fine * 100, middle, coarse * 10)), rtol=1e-3, atol=1e-3
    )


def test_relu_stands_last():
    plain = transparent()(maps(64, 64))

    assert (plain < 0).any()
    torch.testing.assert_close(transparent(relu=True)(maps(64, 64)), plain.clamp(min=0))


@pytest.mark.parametrize("features", [MAPS[0], MAPS[:1]])
def test_one_map_is_refused(features):
    with pytest.raises(ValueError, match=r"is given one; let model\.backbone give more"):
        FeaturePyramid(features)


@pytest.mark.parametrize(
    ("stride", "says"),
    [
        (2, "stride is 2, but the maps have the strides 4, 8, 16; choose one of them"),
        (12, "stride is 12, but"),
        (16, "stride is 16, which is that of the coarsest map.*choose one of 4, 8"),
    ],
)
def test_a_stride_that_cannot_be_had_is_refused(stride, says):
    with pytest.raises(ValueError, match=says):
        FeaturePyramid(MAPS, stride=stride)


@pytest.mark.parametrize(
    "options", [{"channels": 0}, {"channels": 2.5}, {"stride": -4}, {"interpolation": "cubic"}]
)
def test_wrong_values_are_found_without_building(host, options):
    spec = read_options(host.find("necks", "FeaturePyramid").component)

    _, problems = spec.validate(options, "model.neck")

    assert [problem.key for problem in problems] == [f"model.neck.{next(iter(options))}"]


@pytest.mark.parametrize(
    ("model_name", "out_indices", "size"),
    [
        ("convnext_atto", [0, 1, 2, 3], (64, 96)),  # both only take multiples of 32
        ("swin_tiny_patch4_window7_224", [0, 1, 2, 3], (64, 96)),
        ("tf_efficientnet_lite0", [1, 2, 3], (75, 110)),
        ("test_vit", [0, 1], (75, 110)),
    ],
)
def test_it_joins_the_maps_of_any_timm_model(model_name, out_indices, size):
    backbone = TimmBackbone(model_name=model_name, out_indices=out_indices).eval()
    neck = FeaturePyramid(backbone.features, channels=8, normalize=True).eval()

    with torch.no_grad():
        joined = neck(backbone(torch.randn(1, 3, *size)))

    stride = backbone.features[0].stride
    assert neck.features == FeatureSpec(8, stride)
    assert joined.shape == (1, 8, *(-(-side // stride) for side in size))
