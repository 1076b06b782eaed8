"""Heads: features to named outputs. Layers only."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Head(nn.Module):
    """Turns features into named outputs.

    A head is layers only: what its outputs should be (target generator), how wrong they are
    (criteria) and where the keypoints are (predictor) are components of their own, joined to the
    head by output name.

    A subclass takes two positional parameters, `features` (`Features`) and `task` (`PoseTask`),
    and what YAML may set as keyword-only ones. The keys `type`, `predictor`, `target_generator`,
    `criterion` and `weight_init` of a head's block belong to the engine.

    Attributes:
        output_names: Names of what `forward` gives, in the order of the losses.
        upsampling: Output cells per feature cell along one axis: 2 where the head doubles the
            resolution, 1 where it keeps it, 0.5 where it halves it.
        takes_several_maps: Whether `forward` takes a tuple of maps. If not, being given several
            is an error that names a neck.
        input_size: (width, height) of the only images that it works for; None for any size.
        takes_tokens: Whether `forward` takes tokens (B, tokens, C) where the neck gives them. If
            not, being given tokens is an error.
    """

    takes_several_maps: ClassVar[bool] = False
    takes_tokens: ClassVar[bool] = False
    input_size: tuple[int, int] | None = None
    output_names: tuple[str, ...]
    upsampling: float = 1.0

    @abstractmethod
    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features (B, C, h, w) to outputs, one for each of `output_names`."""
        raise NotImplementedError
