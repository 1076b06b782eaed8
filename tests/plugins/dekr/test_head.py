import pytest
import torch

from dlcore.interfaces import FeatureSpec
from dlcore.testing import check_head
from dlcore_plugins.dekr.head import DEKRHead
from tests.plugins.dekr.reference import task_with

FEATURES = FeatureSpec(channels=8, stride=4)


def heatmap(keypoints=3, **options):
    return {"channels": [8, 6, keypoints + 1], **options}


def offset(keypoints=3, **options):
    own = options.setdefault("num_offset_per_kpt", 4)
    return {"channels": [8, own * keypoints, keypoints], **options}


def build(keypoints=3, features=FEATURES, **options):
    blocks = {"heatmap_config": heatmap(keypoints), "offset_config": offset(keypoints)} | options
    return DEKRHead(features, task_with(keypoints, 2), **blocks)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "heatmap_config": heatmap(num_blocks=2, dilation_rate=2, final_conv_kernel=3),
            "offset_config": offset(num_blocks=1, dilation_rate=2, final_conv_kernel=3),
        },
    ],
)
def test_keeps_the_contract(options):
    check_head(build(**options), FEATURES)


def test_outputs_have_the_size_of_the_features():
    outputs = build()(torch.randn(2, 8, 5, 7))

    assert outputs["heatmap"].shape == (2, 4, 5, 7)
    assert outputs["offset"].shape == (2, 6, 5, 7)
    assert build().upsampling == 1


def test_the_offset_of_a_keypoint_comes_from_its_own_layers():
    head = build().eval()
    features = torch.randn(1, 8, 5, 7)

    with torch.no_grad():
        before = head(features)["offset"]
        head.offset_head.offset_final_layer[1].bias += 1
        after = head(features)["offset"]

    moved = (after - before).flatten(2).mean(dim=2).round()
    assert moved.tolist() == [[0, 0, 1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 2}, "stride is 2, but the layers keep"),
        ({"heatmap_config": heatmap(4)}, r"heatmap_config.channels ends with 5, but 3 .* need 4"),
        ({"offset_config": offset(4)}, r"offset_config.channels ends with 4, but 3 keypoints need"),
        (
            {"heatmap_config": heatmap() | {"channels": [9, 6, 4]}},
            "heatmap_config.channels begins with 9, but the features have 8 channels; write 8",
        ),
        ({"features": (FEATURES, FEATURES)}, "takes one feature map, but is given 2"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


class TestOtherKeypoints:
    def test_outputs_follow_their_keypoints(self):
        torch.manual_seed(0)
        old, new = build(3).eval(), build(2).eval()
        features = torch.randn(1, 8, 5, 7)

        new.load_state_dict(new.convert_keypoints(old.state_dict(), [2, 0]))

        with torch.no_grad():
            before, after = old(features), new(features)
        torch.testing.assert_close(after["heatmap"], before["heatmap"][:, [2, 0, 3]])
        torch.testing.assert_close(after["offset"], before["offset"][:, [4, 5, 0, 1]])

    def test_a_new_keypoint_keeps_its_first_weights(self):
        torch.manual_seed(0)
        old, new = build(3).eval(), build(4).eval()
        first = {key: value.clone() for key, value in new.state_dict().items()}

        converted = new.convert_keypoints(old.state_dict(), [0, -1, 1, 2])
        new.load_state_dict(converted, strict=False)

        after, former = new.state_dict(), old.state_dict()
        own = "offset_head.offset_feature_layers.1.0.adapt_conv.weight"
        assert own not in converted
        assert torch.equal(after[own], first[own])
        maps = "heatmap_head.head_heatmap.1.bias"
        assert torch.equal(after[maps][[0, 2, 3, 4]], former[maps])
        assert torch.equal(after[maps][1], first[maps][1])
        transition = "offset_head.transition_offset.1.running_mean"
        assert torch.equal(after[transition][8:], former[transition][4:])

    def test_indices_beyond_the_keypoints_are_refused(self):
        with pytest.raises(ValueError, match="index 3 is beyond the last of 3 keypoints"):
            build(2).convert_keypoints(build(3).state_dict(), [0, 3])

    def test_weights_of_another_kind_of_head_are_left_alone(self):
        state = {"heatmap_head.deconv_layers.0.bias": torch.zeros(3)}

        assert build(2).convert_keypoints(state, [0, 1]) == state
