"""What YAML may set about SimCC components. Never imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

Size = Annotated[Sequence[PositiveInt], Field(min_length=2, max_length=2)]
"""(width, height)."""

Sigma = PositiveFloat | Annotated[Sequence[PositiveFloat], Field(min_length=2, max_length=2)]
"""One width of a Gaussian for both axes, or one for x and one for y, in bins."""


class GAUOptions(BaseModel):
    """The gated attention unit, in which the keypoints of an image look at each other."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    hidden_dims: PositiveInt = 256
    """Numbers that describe a keypoint."""

    s: Annotated[int, Field(gt=0, multiple_of=2)] = 128
    """Numbers in a query and in a key."""

    expansion_factor: PositiveInt = 2
    """How many times more numbers there are in a value."""

    dropout_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the attention that is dropped while training."""

    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the images that skip the unit while training."""

    act_fn: Literal["SiLU", "ReLU"] = "SiLU"
    """What follows the first layer."""

    use_rel_bias: bool = False
    """Whether to learn how much keypoints look at those that stand so far from them in the list."""

    pos_enc: bool = False
    """Whether queries and keys are rotated by the place of their keypoint in the list."""


def pair(sigma: float | Sequence[float]) -> tuple[float, float]:
    """The width along x and along y."""
    if isinstance(sigma, Sequence):
        x, y = sigma
        return x, y
    return sigma, sigma
