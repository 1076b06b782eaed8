import pytest
import torch

from dlcore.layers.channels import ChannelMap, convert_channels, offset_channels

OLD = torch.arange(12.0).view(3, 4)


def test_channels_are_picked_along_each_axis():
    own = torch.zeros(2, 4)

    new = convert_channels("w", OLD, own, {0: ChannelMap([2, 0]), 1: ChannelMap([3, 2, 1, 0])})

    assert new.tolist() == [[11, 10, 9, 8], [3, 2, 1, 0]]


def test_a_channel_may_have_the_opposite_sign():
    new = convert_channels("w", OLD, torch.zeros(2, 4), {0: ChannelMap([1, 0], [-1, 1])})

    assert new.tolist() == [[-4, -5, -6, -7], [0, 1, 2, 3]]


def test_what_the_other_layer_lacks_stays_as_it_is():
    own = torch.full((2, 2), -7.0)

    new = convert_channels("w", OLD, own, {0: ChannelMap([-1, 0]), 1: ChannelMap([0, -1])})

    assert new.tolist() == [[-7, -7], [0, -7]]


@pytest.mark.parametrize(
    ("own", "indices", "message"),
    [
        (torch.zeros(2, 4), [0], "w: 2 channels, but 1 indices"),
        (torch.zeros(1, 4), [3], "w: index 3 is beyond the last of 3"),
        (torch.zeros(1, 5), [0], "w: the shape .* belongs to other layers"),
    ],
)
def test_maps_that_do_not_fit_are_refused(own, indices, message):
    with pytest.raises(ValueError, match=message):
        convert_channels("w", OLD, own, {0: ChannelMap(indices)})


def test_each_heatmap_has_two_offset_maps():
    assert offset_channels([2, 0]) == [4, 5, 0, 1]
    assert all(index < 0 for index in offset_channels([-1]))
