"""Transforms that give images another size."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import GeometricTransform, PoseTask, Sample, Warp
from dlcore.interfaces.geometry import scaling
from dlcore_plugins.albumentations_transforms.validation import positive

_ROUNDING = 1e-6


class Resize(GeometricTransform):
    """Resizes to a height and a width, by linear interpolation.

    Args:
        task: The names of the keypoints.
        height: Of the result.
        width: Of the result.
        keep_ratio: Keep the aspect ratio and fill up with black at the bottom or on the right.
    """

    order: ClassVar[float] = 10.0

    def __init__(self, task: PoseTask, *, height: int, width: int, keep_ratio: bool = True) -> None:
        self.height = positive("height", height)
        self.width = positive("width", width)
        self.keep_ratio = keep_ratio

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """The same for every image of one size."""
        target = (self.width, self.height)
        if self.keep_ratio:
            factor = min(self.width / size[0], self.height / size[1])
            inside = int(size[0] * factor + _ROUNDING), int(size[1] * factor + _ROUNDING)
            return Warp(_scaling_to((max(1, inside[0]), max(1, inside[1])), size), target)
        return Warp(_scaling_to(target, size), target)


class LongestMaxSize(GeometricTransform):
    """Resizes so that the longest side has a given length, by linear interpolation.

    Args:
        task: The names of the keypoints.
        size: Pixels of the longest side of the result; smaller images grow.
    """

    order: ClassVar[float] = 20.0

    def __init__(self, task: PoseTask, *, size: int) -> None:
        self.size = positive("size", size)

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """The same for every image of one size."""
        factor = self.size / max(size)
        target = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
        return Warp(_scaling_to(target, size), target)


def _scaling_to(target: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.float64]:
    return scaling(target[0] / size[0], target[1] / size[1])
