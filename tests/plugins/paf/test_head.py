import pytest
import torch

from dlcore.interfaces import FeatureSpec, PoseTask
from dlcore.testing import check_head
from dlcore_plugins.paf.head import DLCRNetHead

FEATURES = FeatureSpec(channels=8, stride=16)
TASK = PoseTask(keypoints=("nose", "ear", "tail"))


def layers(maps, kernel_size=3, hidden=()):
    channels = [8, *hidden, maps]
    count = len(channels) - 1
    return {"channels": channels, "kernel_size": [kernel_size] * count, "strides": [2] * count}


def build(keypoints=3, edges=3, *, stages=2, hidden=(), **changes):
    options = {
        "heatmap_config": layers(keypoints, hidden=hidden),
        "locref_config": layers(2 * keypoints, hidden=hidden),
        "paf_config": layers(2 * edges, hidden=hidden),
        "num_stages": stages,
        "features_dim": 5,
    }
    return DLCRNetHead(FEATURES, TASK, **(options | changes))


@pytest.mark.parametrize("stages", [0, 1, 3])
@pytest.mark.parametrize("locref", [None, layers(6)])
def test_keeps_the_contract(stages, locref):
    check_head(build(stages=stages, locref_config=locref), FEATURES)


def test_stages_double_the_resolution_before_the_deconvolutions_do():
    outputs = build(hidden=(6,))(torch.randn(2, 8, 5, 7))

    assert build(hidden=(6,)).upsampling == 8
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    assert shapes == {  # 5 cells, doubled to 10, and 2 n + 1 twice
        "heatmap": (2, 3, 43, 59),
        "locref": (2, 6, 43, 59),
        "paf": (2, 6, 43, 59),
    }


def test_without_stages_the_configs_say_all():
    head = build(stages=0)

    assert head.upsampling == 2
    assert head(torch.randn(1, 8, 5, 7))["paf"].shape == (1, 6, 11, 15)
    assert {key.split(".")[0] for key in head.state_dict()} == {
        "heatmap_head",
        "locref_head",
        "paf_head",
    }


def test_keys_and_shapes_are_those_of_deeplabcut():
    state = {key: tuple(value.shape) for key, value in build(stages=1).state_dict().items()}

    assert {key: shape for key, shape in state.items() if key.endswith("weight")} == {
        "convt1.weight": (8, 3, 3, 3),
        "convt2.weight": (8, 6, 3, 3),
        "convt3.weight": (8, 6, 3, 3),
        "convt4.weight": (8, 5, 3, 3),
        "hm_ref_layers.0.weight": (3, 14, 3, 3),
        "paf_ref_layers.0.weight": (6, 14, 3, 3),
        "heatmap_head.deconv_layers.0.weight": (14, 3, 3, 3),
        "paf_head.deconv_layers.0.weight": (14, 6, 3, 3),
        "locref_head.deconv_layers.0.weight": (6, 6, 3, 3),
    }
    assert len(state) == 18  # each weight has its bias


def test_heatmaps_of_a_stage_are_added_to_those_before_and_fields_are_not():
    """With a head whose layers do nothing but the refinement, the sums can be counted."""
    head = build(stages=3)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        for layer in (*head.hm_ref_layers, *head.paf_ref_layers):
            layer.bias.fill_(1.0)

        refined = head._refine(torch.zeros(1, 8, 2, 2))

    assert refined[:, :3].unique().tolist() == [3.0]  # 1, then twice 1 more
    assert refined[:, 3:9].unique().tolist() == [1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paf_config": layers(5)}, "paf_config makes 5 maps; .* two for each edge"),
        ({"paf_config": layers(6, kernel_size=4)}, "paf_config and heatmap_config .* sizes"),
        ({"paf_config": {**layers(6), "channels": [9, 6]}}, "paf_config.channels begins with 9"),
        ({"locref_config": layers(4)}, "locref_config makes 4 maps, but 3 heatmaps need 6"),
    ],
)
def test_configs_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


class TestOtherKeypoints:
    """All pairs of 4 keypoints are 01 02 03 12 13 23; of 3 they are 01 02 12."""

    @pytest.mark.parametrize("stages", [0, 2])
    @pytest.mark.parametrize("hidden", [(), (6,)])
    def test_the_same_keypoints_have_the_same_maps(self, stages, hidden):
        sizes = {"stages": stages, "hidden": hidden}
        old, new = build(4, 6, **sizes), build(3, 3, **sizes)
        features = torch.randn(1, 8, 5, 7)
        chosen = [3, 0, 2]
        if stages:  # so that keypoints and limbs that are left out do not tell on the others
            forget(old, keypoint=1)

        new.load_state_dict(new.convert_keypoints(old.state_dict(), chosen))

        before, after = old(features), new(features)
        torch.testing.assert_close(after["heatmap"], before["heatmap"][:, chosen])
        torch.testing.assert_close(after["locref"], before["locref"][:, [6, 7, 0, 1, 4, 5]])
        # limbs 30 and 32 are walked the other way, 02 is not
        limbs = before["paf"].unflatten(1, (6, 2))
        expected = torch.stack((-limbs[:, 2], -limbs[:, 5], limbs[:, 1]), dim=1).flatten(1, 2)
        torch.testing.assert_close(after["paf"], expected)

    def test_fields_of_a_chosen_graph_start_anew(self):
        old, new = build(4, 5), build(4, 5)

        converted = new.convert_keypoints(old.state_dict(), [3, 2, 1, 0])

        assert torch.equal(converted["convt3.weight"], new.convt3.weight)
        assert torch.equal(converted["convt1.bias"], old.convt1.bias[[3, 2, 1, 0]])

    def test_weights_of_another_kind_of_head_are_refused(self):
        with pytest.raises(ValueError, match="other layers"):
            build().convert_keypoints(build(stages=1).state_dict(), [0, 1, 2])


@torch.no_grad()
def forget(head, keypoint):
    """Make a keypoint of four, and its limbs, count for nothing in what stages see."""
    fields = [2 * edge + axis for edge in (0, 3, 4) for axis in (0, 1)]
    seen = [keypoint, *(4 + field for field in fields)]
    for layer in (*head.hm_ref_layers, *head.paf_ref_layers):
        layer.weight[:, seen] = 0
    for part in (head.heatmap_head, head.paf_head):
        part.deconv_layers[0].weight[seen] = 0
    head.locref_head.deconv_layers[0].weight[2 * keypoint : 2 * keypoint + 2] = 0
