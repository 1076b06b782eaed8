import pytest
import torch

from dlcore.interfaces import FeatureSpec, PoseTask
from dlcore.testing import check_head
from dlcore_plugins.heatmap.head import HeatmapHead

FEATURES = FeatureSpec(channels=8, stride=16)
TASK = PoseTask(keypoints=("nose", "ear", "tail"))


def deconvolutions(maps, layers=1):
    channels = [8, *[6] * (layers - 1), maps]
    return {"channels": channels, "kernel_size": [3] * layers, "strides": [2] * layers}


def final_conv(maps, kernel_size=1):
    return {"channels": [8], "final_conv": {"out_channels": maps, "kernel_size": kernel_size}}


def build(heatmap, locref=None, features=FEATURES):
    return HeatmapHead(features, TASK, heatmap_config=heatmap, locref_config=locref)


@pytest.mark.parametrize(
    ("heatmap", "locref"),
    [
        (deconvolutions(3), deconvolutions(6)),
        (deconvolutions(3, layers=2), None),
        (final_conv(3), final_conv(6)),
    ],
)
def test_keeps_the_contract(heatmap, locref):
    check_head(build(heatmap, locref), FEATURES)


def test_deconvolutions_make_maps_of_twice_the_size_plus_one():
    head = build(deconvolutions(3), deconvolutions(6))

    outputs = head(torch.randn(2, 8, 5, 7))

    assert head.upsampling == 2
    assert head.output_names == ("heatmap", "locref")
    assert outputs["heatmap"].shape == (2, 3, 11, 15)
    assert outputs["locref"].shape == (2, 6, 11, 15)


def test_without_locref_there_is_no_such_output():
    head = build(deconvolutions(3))

    assert head.output_names == ("heatmap",)
    assert list(head(torch.randn(1, 8, 5, 7))) == ["heatmap"]
    assert not any(key.startswith("locref") for key in head.state_dict())


def test_a_final_convolution_alone_keeps_the_size():
    head = build(final_conv(3), final_conv(6))

    assert head.upsampling == 1
    assert head(torch.randn(1, 8, 5, 7))["locref"].shape == (1, 6, 5, 7)


@pytest.mark.parametrize(
    ("config", "shapes"),
    [
        (
            deconvolutions(3),
            {"deconv_layers.0.weight": (8, 3, 3, 3), "deconv_layers.0.bias": (3,)},
        ),
        (
            deconvolutions(3, layers=2),
            {
                "deconv_layers.0.weight": (8, 6, 3, 3),
                "deconv_layers.0.bias": (6,),
                "deconv_layers.2.weight": (6, 3, 3, 3),
                "deconv_layers.2.bias": (3,),
            },
        ),
        (final_conv(3), {"final_conv.weight": (3, 8, 1, 1), "final_conv.bias": (3,)}),
    ],
    ids=["one deconvolution", "two deconvolutions", "final convolution"],
)
def test_keys_and_shapes_are_those_of_deeplabcut(config, shapes):
    state = build(config).state_dict()

    expected = {f"heatmap_head.{key}": shape for key, shape in shapes.items()}
    assert {key: tuple(value.shape) for key, value in state.items()} == expected


def test_a_relu_stands_between_deconvolutions_and_never_behind_the_last():
    two = build(deconvolutions(3, layers=2))
    config = deconvolutions(4) | {"final_conv": {"out_channels": 3, "kernel_size": 1}}
    with_final = build(config)

    assert [type(layer).__name__ for layer in two.heatmap_head.deconv_layers] == [
        "ConvTranspose2d",
        "ReLU",
        "ConvTranspose2d",
    ]
    assert len(with_final.heatmap_head.deconv_layers) == 1
    assert (two(torch.randn(1, 8, 5, 7))["heatmap"] < 0).any()


def test_channels_that_do_not_fit_the_features_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r"heatmap_config.channels begins with 8.* have 512"):
        build(deconvolutions(3), features=FeatureSpec(channels=512, stride=16))
    with pytest.raises(ValueError, match=r"locref_config.channels begins with 9.* have 8"):
        build(final_conv(3), {**final_conv(6), "channels": [9]})


@pytest.mark.parametrize(
    ("locref", "message"),
    [
        (deconvolutions(6, layers=2), "4 times finer .* heatmap_config 2 times"),
        ({**deconvolutions(6), "kernel_size": [4]}, "different sizes"),
        (deconvolutions(4), "makes 4 maps, but 3 heatmaps need 6"),
    ],
)
def test_a_locref_that_does_not_fit_the_heatmap_is_refused(locref, message):
    with pytest.raises(ValueError, match=message):
        build(deconvolutions(3), locref)


def test_several_feature_maps_are_refused():
    with pytest.raises(ValueError, match=r"given 2.* model\.neck"):
        build(deconvolutions(3), features=(FEATURES, FEATURES))


KINDS = {
    "one deconvolution": lambda maps: deconvolutions(maps),
    "two deconvolutions": lambda maps: deconvolutions(maps, layers=2),
    "final convolution": lambda maps: final_conv(maps),
}


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS.keys())
def test_converted_weights_give_the_maps_of_the_same_keypoints(config):
    old, new = build(config(3), config(6)), build(config(2), config(4))
    features = torch.randn(1, 8, 5, 7)

    new.load_state_dict(new.convert_keypoints(old.state_dict(), [2, 0]))

    before, after = old(features), new(features)
    torch.testing.assert_close(after["heatmap"], before["heatmap"][:, [2, 0]])
    torch.testing.assert_close(after["locref"], before["locref"][:, [4, 5, 0, 1]])


def test_a_keypoint_that_the_other_head_does_not_know_keeps_its_weights():
    old, new = (
        build(deconvolutions(2), deconvolutions(4)),
        build(deconvolutions(3), deconvolutions(6)),
    )
    features = torch.randn(1, 8, 5, 7)
    fresh, before = new(features), old(features)

    new.load_state_dict(new.convert_keypoints(old.state_dict(), [1, -1, 0]))

    after = new(features)
    torch.testing.assert_close(after["heatmap"][:, [0, 2]], before["heatmap"][:, [1, 0]])
    torch.testing.assert_close(after["heatmap"][:, 1], fresh["heatmap"][:, 1])
    torch.testing.assert_close(after["locref"][:, 2:4], fresh["locref"][:, 2:4])


def test_conversion_leaves_the_given_state_as_it_is():
    old = build(deconvolutions(3))
    before = {key: value.clone() for key, value in old.state_dict().items()}

    old.convert_keypoints(old.state_dict(), [2, 1, 0])

    assert all(torch.equal(value, before[key]) for key, value in old.state_dict().items())


@pytest.mark.parametrize(
    ("indices", "message"),
    [([0, 1], "3 channels, but 2 indices"), ([0, 1, 5], "index 5 is beyond the last of 3")],
)
def test_indices_that_do_not_fit_the_heads_are_refused(indices, message):
    head = build(deconvolutions(3))

    with pytest.raises(ValueError, match=message):
        head.convert_keypoints(head.state_dict(), indices)


def test_weights_of_other_layers_are_refused():
    state = build({**deconvolutions(3), "kernel_size": [4]}).state_dict()

    with pytest.raises(ValueError, match="belongs to other layers"):
        build(deconvolutions(3)).convert_keypoints(state, [0, 1, 2])
