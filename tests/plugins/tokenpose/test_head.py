import pytest
import torch

from dlcore.interfaces import Features, FeatureSpec, PoseTask
from dlcore.model import head_input
from dlcore_plugins.heatmap.head import HeatmapHead
from dlcore_plugins.tokenpose.head import TransformerHead

TOKENS = FeatureSpec(channels=24, stride=4, tokens=3)
TASK = PoseTask(keypoints=("nose", "ear", "tail"))


def build(features: Features = TOKENS, **options):
    defaults = {
        "dim": 8,
        "hidden_heatmap_dim": 48,
        "heatmap_dim": 15,
        "apply_multi": True,
        "heatmap_size": [3, 5],
        "apply_init": True,
    }
    return TransformerHead(features, TASK, **(defaults | options))


def test_a_map_is_filled_row_by_row():
    head, tokens = build(), torch.randn(2, 3, 24)

    heatmap = head(tokens)["heatmap"]

    assert heatmap.shape == (2, 3, 3, 5)
    assert torch.equal(heatmap[..., 1, 2], head.mlp_head(tokens)[..., 7])


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({}, ["LayerNorm", "Linear", "LayerNorm", "Linear"]),
        ({"hidden_heatmap_dim": 47}, ["LayerNorm", "Linear"]),
        ({"apply_multi": False}, ["LayerNorm", "Linear"]),
    ],
)
def test_there_are_two_layers_only_if_asked_for_and_wide_enough(options, layers):
    head = build(**options)

    assert [type(layer).__name__ for layer in head.mlp_head] == layers
    assert {key.split(".")[0] for key in head.state_dict()} == {"mlp_head"}


@pytest.mark.parametrize(("head_stride", "upsampling"), [(1, 1), (2, 2), (-2, 0.5)])
def test_head_stride_says_how_much_finer_or_coarser_the_maps_are(head_stride, upsampling):
    assert build(head_stride=head_stride).upsampling == upsampling


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": FeatureSpec(24, 4)}, r"takes tokens, not maps; set model\.neck"),
        ({"dim": 192}, "dim is 192, but the tokens have 24 numbers, three times 8"),
        ({"heatmap_dim": 16}, r"heatmap_dim is 16, .*\[3, 5\] has 15 cells; write 15"),
        ({"head_stride": 0}, "head_stride must not be 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_tokens_are_refused_for_a_head_that_takes_maps():
    assert head_input(TOKENS, TransformerHead, "bodypart") == TOKENS
    with pytest.raises(ValueError, match=r"heads\.bodypart: .* model\.neck gives tokens"):
        head_input(TOKENS, HeatmapHead, "bodypart")
