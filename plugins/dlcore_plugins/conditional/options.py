"""What YAML may set about conditional models. Never imports torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

Size = Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]
"""[height, width] in pixels."""

Color = Annotated[list[Annotated[NonNegativeInt, Field(le=255)]], Field(min_length=3, max_length=3)]
"""[red, green, blue], each from 0 to 255."""


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"must be odd, got {value}")
    return value


KernelSize = Annotated[
    list[Annotated[PositiveInt, AfterValidator(_odd)]], Field(min_length=2, max_length=2)
]
"""[width, height] in pixels, odd."""


class _EncoderOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    num_joints: PositiveInt
    """Keypoints per animal."""

    kernel_size: KernelSize = [15, 15]
    """Width and height of the blots in pixels, both odd."""

    img_size: Size | None = None
    """[height, width] of the maps. If given, it must be the `img_size` of the backbone."""


class StackedKeypointEncoderOptions(_EncoderOptions):
    """One map per keypoint, with a blot where it is."""

    type: Literal["StackedKeypointEncoder"]


class ColoredKeypointEncoderOptions(_EncoderOptions):
    """One picture in which each keypoint is a blot of its own colour."""

    type: Literal["ColoredKeypointEncoder"]

    colors: list[Color] | None = None
    """[red, green, blue] of each keypoint, from 0 to 255; by default those of a rainbow."""


KeypointEncoderOptions = Annotated[
    StackedKeypointEncoderOptions | ColoredKeypointEncoderOptions, Field(discriminator="type")
]
"""How a rough pose is drawn."""


def check_sizes(img_size: list[int], encoder: KeypointEncoderOptions) -> tuple[int, int]:
    """(height, width) that a backbone and its encoder agree on.

    Raises:
        ValueError: If they do not.
    """
    height, width = img_size
    if encoder.img_size is not None and encoder.img_size != [height, width]:
        raise ValueError(
            f"img_size is {[height, width]}, but that of kpt_encoder is {encoder.img_size}; "
            f"leave out the latter"
        )
    return height, width
