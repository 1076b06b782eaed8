import pytest
import torch

from dlcore.interfaces import FeatureSpec
from dlcore.layers.channels import ChannelMap
from dlcore.layers.deconvolution import (
    Deconvolutions,
    check_features,
    check_offsets,
    check_same_size,
)
from dlcore.layers.options import DeconvolutionOptions


def options(*channels, kernel_size=3, final=None):
    layers = len(channels) - 1
    return DeconvolutionOptions(
        channels=list(channels),
        kernel_size=[kernel_size] * layers,
        strides=[2] * layers,
        final_conv=None if final is None else {"out_channels": final, "kernel_size": 1},
    )


STACKS = {
    "one deconvolution": lambda features, maps: options(features, maps),
    "two deconvolutions": lambda features, maps: options(features, 6, maps),
    "deconvolution and convolution": lambda features, maps: options(features, 6, final=maps),
    "a convolution alone": lambda features, maps: options(features, final=maps),
}
EACH_STACK = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS.keys())


@EACH_STACK
def test_maps_have_the_size_that_the_options_say(stack):
    made = stack(8, 3)

    maps = Deconvolutions(made)(torch.randn(2, 8, 5, 7))

    assert maps.shape == (2, 3, made.size(5), made.size(7))
    assert (maps < 0).any()  # logits: nothing cuts them off


@EACH_STACK
def test_first_and_last_layer_are_named(stack):
    layers = Deconvolutions(stack(8, 3))

    shapes = {key: tuple(value.shape) for key, value in layers.state_dict().items()}
    assert [shapes[key][axis] for key, axis in layers.first_layer.items()] == [8]
    assert [shapes[key][axis] for key, axis in layers.last_layer.items()] == [3, 3]


@EACH_STACK
def test_converted_layers_give_the_same_maps_in_another_order(stack):
    old, new = Deconvolutions(stack(4, 3)), Deconvolutions(stack(5, 2))
    maps, features = ChannelMap([2, 0]), ChannelMap([3, -1, 1, 0, 2], [1, 1, -1, 1, 1])
    state = {f"part.{key}": value for key, value in old.state_dict().items()}
    given = torch.randn(1, 4, 5, 7)
    seen = torch.stack(
        [given[:, 3], torch.zeros(1, 5, 7), -given[:, 1], given[:, 0], given[:, 2]], dim=1
    )

    converted = state | new.convert_maps(state, "part.", maps, features)
    new.load_state_dict({key.removeprefix("part."): value for key, value in converted.items()})

    torch.testing.assert_close(new(seen), old(given)[:, [2, 0]])


def test_features_that_do_not_fit_are_refused():
    check_features("paf_config", options(8, 3), FeatureSpec(8, 16))
    with pytest.raises(ValueError, match=r"paf_config.channels begins with 8.* have 512"):
        check_features("paf_config", options(8, 3), FeatureSpec(512, 16))
    with pytest.raises(ValueError, match=r"given 2.* model\.neck"):
        check_features("paf_config", options(8, 3), (FeatureSpec(8, 16),) * 2)


def test_maps_of_another_size_are_refused():
    check_same_size("paf_config", options(8, 4), options(8, 3))
    with pytest.raises(ValueError, match=r"paf_config makes maps 4 times finer .* 2 times"):
        check_same_size("paf_config", options(8, 8, 4), options(8, 3))
    with pytest.raises(ValueError, match=r"paf_config and heatmap_config .* different sizes"):
        check_same_size("paf_config", options(8, 4, kernel_size=4), options(8, 3))


def test_offsets_are_two_for_each_heatmap():
    check_offsets("locref_config", options(8, 6), options(8, 3))
    with pytest.raises(ValueError, match="makes 4 maps, but 3 heatmaps need 6"):
        check_offsets("locref_config", options(8, 4), options(8, 3))
