"""Mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from dlcore.interfaces import GeometricTransform, PoseTask, Sample, Warp
from dlcore_plugins.albumentations_transforms.symmetry import (
    pairs_by_default,
    pairs_from_options,
)
from dlcore_plugins.albumentations_transforms.validation import probability


class HorizontalFlip(GeometricTransform):
    """Mirrors the image, and swaps left and right keypoints in every individual.

    Args:
        task: The names of the keypoints.
        p: How often.
        symmetries: Pairs of keypoints, by name or index, that change places. By default those
            that the dataset knows, else the names that differ in left and right only.
        unique_symmetries: Likewise for the unique keypoints.
    """

    order: ClassVar[float] = 30.0

    def __init__(
        self,
        task: PoseTask,
        *,
        p: float = 0.5,
        symmetries: Sequence[Sequence[int | str]] | None = None,
        unique_symmetries: Sequence[Sequence[int | str]] | None = None,
    ) -> None:
        self.p = probability("p", p)
        if symmetries is None:
            self.swaps = pairs_by_default("symmetries", task.symmetries, task.keypoints)
        else:
            self.swaps = pairs_from_options("symmetries", symmetries, task.keypoints)
        option, names = "unique_symmetries", task.unique_keypoints
        if unique_symmetries is None:
            self.unique_swaps = pairs_by_default(option, (), names)
        else:
            self.unique_swaps = pairs_from_options(option, unique_symmetries, names)

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """`x' = width - x`, now and then."""
        if rng.random() >= self.p:
            return None
        matrix = np.array([[-1, 0, size[0]], [0, 1, 0]], dtype=np.float64)
        return Warp(matrix, size, self.swaps, self.unique_swaps)
