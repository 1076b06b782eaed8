import math

import pytest
import torch

from dlcore import ComponentError
from dlcore.interfaces import FeatureSpec, PoseTask
from dlcore_plugins.simcc.attention import GatedAttentionUnit, ScaleNorm
from dlcore_plugins.simcc.head import RTMCCHead
from dlcore_plugins.simcc.options import GAUOptions

FEATURES = FeatureSpec(channels=8, stride=32)
TASK = PoseTask(keypoints=("nose", "ear", "tail"))
SMALL = {"hidden_dims": 16, "s": 8}


def build(keypoints=3, features=FEATURES, **options):
    options = {"gau_cfg": SMALL, "input_size": [96, 64], "out_channels": keypoints} | options
    return RTMCCHead(features, TASK, **options).eval()


def unit(**options):
    return GatedAttentionUnit(3, GAUOptions(**SMALL, **options)).eval()


def test_rows_have_a_bin_for_each_part_of_a_pixel():
    outputs = build(simcc_split_ratio=2.5)(torch.randn(2, 8, 2, 3))

    assert outputs["x"].shape == (2, 3, 240)
    assert outputs["y"].shape == (2, 3, 160)


def test_keys_and_shapes_are_those_of_deeplabcut():
    state = build(gau_cfg={**SMALL, "use_rel_bias": True}).state_dict()

    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "final_layer.weight": (3, 8, 7, 7),
        "final_layer.bias": (3,),
        "mlp.0.g": (1,),
        "mlp.1.weight": (16, 6),
        "gau.gamma": (2, 8),
        "gau.beta": (2, 8),
        "gau.o.weight": (16, 32),
        "gau.uv.weight": (72, 16),
        "gau.ln.g": (1,),
        "gau.res_scale.scale": (16,),
        "gau.w": (5,),
        "cls_x.weight": (192, 16),
        "cls_y.weight": (128, 16),
    }


@pytest.mark.parametrize("cells", [(3, 2), (2, 4)])
def test_images_of_another_size_are_refused_with_the_keys_to_set(cells):
    with pytest.raises(
        ComponentError,
        match=r"images of 96x64 .* 3x2 cells, .* data\.train\.top_down_crop and "
        r"data\.inference\.top_down_crop to width 96 and height 64",
    ):
        build()(torch.randn(1, 8, *cells))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 512}, "in_channels is 512, but the features have 8 channels; write 8"),
        ({"in_featuremap_size": [8, 8]}, r"is \[8, 8\], .*96x64.* \[3, 2\] at stride 32"),
        ({"final_layer_kernel_size": 4}, "must be odd.* got 4"),
        ({"features": (FEATURES, FEATURES)}, r"given 2; .*model\.neck"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_size_of_the_features_may_be_left_out_or_given():
    assert build(in_featuremap_size=[3, 2], in_channels=8).map_size == build().map_size == (3, 2)


def test_scale_norm_gives_every_vector_the_length_of_ones():
    norm = ScaleNorm(4)

    vectors = norm(torch.tensor([[3.0, 0, 4, 0], [0.0, 0, 0, 0]]))

    assert vectors.tolist() == [[pytest.approx(v) for v in (1.2, 0, 1.6, 0)], [0, 0, 0, 0]]


def test_relative_bias_is_added_by_how_far_keypoints_stand_apart():
    """A bias that lets each keypoint see only the next one."""
    attention = unit(use_rel_bias=True)
    with torch.no_grad():
        attention.gamma.zero_()
        attention.beta.zero_()
        attention.w.copy_(torch.tensor([-1.0, -1, -1, math.sqrt(8), -1]))
    keypoints = torch.randn(1, 3, 16, requires_grad=True)

    attention(keypoints)[0, 0].sum().backward()

    assert keypoints.grad[0, 1].any()
    assert not keypoints.grad[0, 2].any()


def test_positions_are_told_apart_only_with_their_encoding():
    keypoints = torch.randn(1, 3, 16)
    backwards = keypoints.flip(1)
    plain, encoded = unit(), unit(pos_enc=True)

    torch.testing.assert_close(plain(backwards), plain(keypoints).flip(1))
    assert not torch.allclose(encoded(backwards), encoded(keypoints).flip(1), atol=1e-4)


def test_skipped_images_keep_what_comes_in_and_the_others_make_up_for_it():
    attention = unit(drop_path=0.5)
    keypoints = torch.randn(1, 3, 16).expand(64, -1, -1)
    change = attention(keypoints)[0] - keypoints[0]

    changes = attention.train()(keypoints) - keypoints

    kept = changes.flatten(1).abs().amax(dim=1) > 1e-6
    assert 16 < int(kept.sum()) < 48
    torch.testing.assert_close(changes[kept][0], 2 * change, rtol=1e-4, atol=1e-5)


def test_converted_weights_give_the_rows_of_the_same_keypoints():
    """Without attention: with it, keypoints that are gone would be missed by the others."""
    old, new = build(3), build(2)
    features = torch.randn(1, 8, 2, 3)
    with torch.no_grad():
        old.gau.o.weight.zero_()

    new.load_state_dict(new.convert_keypoints(old.state_dict(), [2, 0]))

    torch.testing.assert_close(new(features)["x"], old(features)["x"][:, [2, 0]])


def test_with_attention_the_same_keypoints_in_another_order_give_the_same_rows():
    gau = {**SMALL, "use_rel_bias": True}
    old, new = build(3, gau_cfg=gau), build(3, gau_cfg=gau)
    features = torch.randn(1, 8, 2, 3)

    new.load_state_dict(new.convert_keypoints(old.state_dict(), [2, 1, 0]))

    torch.testing.assert_close(new(features)["y"], old(features)["y"][:, [2, 1, 0]])


def test_the_bias_of_a_distance_is_the_mean_over_the_pairs_that_have_it_now():
    gau = {**SMALL, "use_rel_bias": True}
    old, new = build(3, gau_cfg=gau), build(4, gau_cfg=gau)
    state = old.state_dict() | {"gau.w": torch.tensor([1.0, 2, 3, 4, 5])}  # distances -2 to 2

    bias = new.convert_keypoints(state, [0, 2, 1, -1])["gau.w"]

    own = new.gau.w.detach()
    assert bias[1:6].tolist() == [2.0, (1 + 4) / 2, 3.0, (5 + 2) / 2, 4.0]
    assert torch.equal(bias[[0, 6]], own[[0, 6]])


def test_a_keypoint_that_the_other_head_does_not_know_keeps_its_weights():
    old, new = build(2), build(3)

    converted = new.convert_keypoints(old.state_dict(), [1, -1, 0])

    assert torch.equal(converted["final_layer.weight"][1], new.final_layer.weight[1])
    assert torch.equal(converted["final_layer.bias"][0], old.final_layer.bias[1])


@pytest.mark.parametrize(
    ("indices", "message"),
    [([0, 1], "3 channels, but 2 indices"), ([0, 1, 5], "index 5 is beyond the last of 3")],
)
def test_indices_that_do_not_fit_the_heads_are_refused(indices, message):
    head = build()

    with pytest.raises(ValueError, match=message):
        head.convert_keypoints(head.state_dict(), indices)
