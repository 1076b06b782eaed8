import math

import pytest
import torch

from dlcore import ComponentError
from dlcore.interfaces import FeatureSpec
from dlcore_plugins.tokenpose.layers import sine_places
from dlcore_plugins.tokenpose.neck import Transformer

FEATURES = FeatureSpec(channels=6, stride=4)


def build(features=FEATURES, **options):
    defaults = {
        "feature_size": [4, 8],
        "patch_size": [2, 4],
        "num_keypoints": 3,
        "channels": 6,
        "dim": 8,
        "depth": 2,
        "heads": 2,
    }
    return Transformer(features, **(defaults | options)).eval()


def test_gives_a_token_for_each_keypoint_from_each_stack():
    neck = build()

    assert neck(torch.randn(2, 6, 4, 8)).shape == (2, 3, 24)
    assert neck.features == FeatureSpec(channels=24, stride=4, tokens=3)


def test_patches_go_row_by_row_and_their_channels_are_last():
    features = torch.arange(6 * 4 * 8.0).view(1, 6, 4, 8)

    patches = build()._patches(features)

    assert patches.shape == (1, 4, 48)
    expected = features[0, :, 0:2, 4:8].permute(1, 2, 0).flatten()
    assert torch.equal(patches[0, 1], expected)


def test_places_are_sines_and_cosines_of_rows_then_columns():
    places = sine_places(4, 2, 8)[0].view(4, 2, 8)

    row, column = 2 * math.pi * 3 / 4, 2 * math.pi * 1 / 2
    expected = [
        *(math.sin(row), math.cos(row), math.sin(row / 100), math.cos(row / 100)),
        *(math.sin(column), math.cos(column), math.sin(column / 100), math.cos(column / 100)),
    ]
    assert places[2, 0].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape", "trained"),
    [("sine-full", (1, 4, 8), False), ("sine", (1, 4, 8), False), ("learnable", (1, 7, 8), True)],
)
def test_only_learnable_places_are_trained_and_keypoints_have_them_too(kind, shape, trained):
    places = build(pos_embedding_type=kind).pos_embedding

    assert places.shape == shape
    assert places.requires_grad is trained


def test_full_places_are_added_again_in_the_later_stacks():
    full, once = build(pos_embedding_type="sine-full"), build(pos_embedding_type="sine")
    once.load_state_dict(full.state_dict())
    features = torch.randn(1, 6, 4, 8)

    a, b = full(features), once(features)

    torch.testing.assert_close(a[..., :8], b[..., :8])
    assert not torch.allclose(a[..., 8:], b[..., 8:], atol=1e-5)


def test_images_of_another_size_are_refused_with_the_keys_to_set():
    with pytest.raises(
        ComponentError,
        match=r"8x4 cells.* given 8x8 cells.* data\.inference\.top_down_crop to width 32 and "
        r"height 16",
    ):
        build()(torch.randn(1, 6, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 32}, "channels is 32, but the features have 6 channels; write 6"),
        ({"patch_size": [3, 4]}, r"\[4, 8\] is no multiple of patch_size \[3, 4\]"),
        ({"heads": 3}, r"dim is 8, .* multiple of 4 and of heads \(3\)"),
        ({"features": (FEATURES, FEATURES)}, "takes one feature map, but is given 2"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_apply_init_draws_small_weights():
    weight = build(dim=64, apply_init=True).transformer1.layers[0][0].fn.fn.to_qkv.weight

    assert 0.018 < float(weight.detach().std()) < 0.022
