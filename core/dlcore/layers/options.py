"""What YAML may set about layers that techniques share. Never imports torch."""

from __future__ import annotations

import math

from pydantic import ConfigDict, Field, PositiveInt, model_validator

from dlcore.config.sections import Documented


class FinalConvOptions(Documented):
    """The convolution behind the deconvolutions, without padding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out_channels: PositiveInt
    """Number of maps."""

    kernel_size: PositiveInt
    """Side of the kernel in cells."""


class DeconvolutionOptions(Documented):
    """A stack of transposed convolutions, without padding, and perhaps one convolution."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: list[PositiveInt]
    """Channels of the features, then of what each deconvolution gives."""

    kernel_size: list[PositiveInt] = Field(default_factory=list)
    """Side of the kernel of each deconvolution, in cells."""

    strides: list[PositiveInt] = Field(default_factory=list)
    """How many times finer each deconvolution makes the map."""

    final_conv: FinalConvOptions | None = None
    """A convolution behind the deconvolutions; null for none."""

    @model_validator(mode="after")
    def _check_lengths(self) -> DeconvolutionOptions:
        layers = len(self.kernel_size)
        if len(self.strides) != layers or len(self.channels) != layers + 1:
            raise ValueError(
                f"channels needs one entry more than kernel_size and strides, which go together; "
                f"there are {len(self.channels)} channels, {layers} kernel sizes and "
                f"{len(self.strides)} strides"
            )
        return self

    @property
    def upsampling(self) -> int:
        """How many times finer the maps are than the features."""
        return math.prod(self.strides)

    @property
    def out_channels(self) -> int:
        """How many maps come out."""
        return self.final_conv.out_channels if self.final_conv else self.channels[-1]

    def size(self, cells: int) -> int:
        """Side of the maps that come out of features with a side of `cells`."""
        for kernel_size, stride in zip(self.kernel_size, self.strides, strict=True):
            cells = (cells - 1) * stride + kernel_size
        return cells - self.final_conv.kernel_size + 1 if self.final_conv else cells
