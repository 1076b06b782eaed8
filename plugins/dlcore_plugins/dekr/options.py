"""What YAML may set about the layers of a DEKR head. Never imports torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

_ThreeChannels = Annotated[list[PositiveInt], Field(min_length=3, max_length=3)]


class HeatmapLayersOptions(BaseModel):
    """The layers that say where keypoints and centres are."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    channels: _ThreeChannels
    """Channels of the features, of the blocks, and number of maps: the keypoints and the centre."""

    num_blocks: PositiveInt = 1
    """Residual blocks."""

    dilation_rate: PositiveInt = 1
    """Cells between the taps of the convolutions in the blocks."""

    final_conv_kernel: Literal[1, 3] = 1
    """Side of the kernel of the last layer in cells."""


class OffsetLayersOptions(BaseModel):
    """The layers that say how far the keypoints are from the centre; each has its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    channels: _ThreeChannels
    """Channels of the features, of all keypoints' blocks together, and number of keypoints."""

    num_offset_per_kpt: PositiveInt = 15
    """Channels of the blocks of one keypoint."""

    num_blocks: PositiveInt = 2
    """Adaptive blocks of each keypoint."""

    dilation_rate: PositiveInt = 1
    """Cells between the taps of the adaptive convolutions, before they move."""

    final_conv_kernel: Literal[1, 3] = 1
    """Side of the kernel of the last layer in cells."""

    @model_validator(mode="after")
    def _check_channels(self) -> OffsetLayersOptions:
        needed = self.num_keypoints * self.num_offset_per_kpt
        if self.channels[1] != needed:
            raise ValueError(
                f"channels says {self.channels[1]} for the blocks, but {self.num_keypoints} "
                f"keypoints with {self.num_offset_per_kpt} channels each need {needed}"
            )
        return self

    @property
    def num_keypoints(self) -> int:
        """How many keypoints have layers."""
        return self.channels[2]
