import pytest
from pydantic import ValidationError

from dlcore_plugins.dekr.options import HeatmapLayersOptions, OffsetLayersOptions


def test_defaults_are_those_of_the_net_types():
    heatmap = HeatmapLayersOptions(channels=[270, 18, 7])
    offset = OffsetLayersOptions(channels=[270, 90, 6])

    assert (heatmap.num_blocks, heatmap.dilation_rate, heatmap.final_conv_kernel) == (1, 1, 1)
    assert (offset.num_blocks, offset.num_offset_per_kpt, offset.num_keypoints) == (2, 15, 6)


@pytest.mark.parametrize("options", [HeatmapLayersOptions, OffsetLayersOptions])
def test_there_are_three_numbers_of_channels(options):
    with pytest.raises(ValidationError, match="channels"):
        options(channels=[270, 90])


@pytest.mark.parametrize("options", [HeatmapLayersOptions, OffsetLayersOptions])
def test_a_misspelt_option_is_refused(options):
    with pytest.raises(ValidationError, match="num_block"):
        options(channels=[270, 90, 6], num_block=1)


def test_channels_of_the_blocks_must_be_shared_evenly():
    with pytest.raises(ValidationError, match="says 80 for the blocks, but 6 keypoints with 15"):
        OffsetLayersOptions(channels=[270, 80, 6])
