"""Predictors: outputs of a head to coordinates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from dlcore.interfaces.types import Outputs


class Predictor(ABC):
    """Decodes the outputs of a head.

    A subclass takes `task` (`PoseTask`) as its only positional parameter and what YAML may set as
    keyword-only ones. It leaves the outputs it is given as they are.

    Attributes:
        output_names: The outputs it reads; the head must give all of them.
        traceable: Whether it can become part of an exported network: it does the same with any
            values, with operations of torch alone. Exported networks give the outputs of the head
            where this is False.
    """

    output_names: tuple[str, ...]
    traceable: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, stride: float, outputs: Outputs) -> dict[str, Tensor]:
        """Decode one batch.

        Args:
            stride: Input pixels per output cell.
            outputs: What the head gave, float32.

        Returns:
            `poses`: (B, N, K, 3 or more) x, y, score, ... in pixels of the network's input. A
            missing individual has scores below 0, a missing keypoint is NaN. A predictor may give
            more by other names. One for a head that knows no places, such as identity, gives
            `heatmap` (B, H, W, N) instead.
        """
        raise NotImplementedError
