"""Patches that cover parts of the image."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore_plugins.albumentations_transforms.validation import probability

_PATCHES = 10
_SIDES = (0.01, 0.05)


class Covering(Transform):
    """Blackens ten patches, each side 1 % to 5 % of the image's; points under them are lost.

    Args:
        task: The names of the keypoints.
        p: How often.
    """

    order: ClassVar[float] = 90.0

    def __init__(self, task: PoseTask, *, p: float = 0.5) -> None:
        self.p = probability("p", p)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with patches; boxes stay."""
        if rng.random() >= self.p:
            return sample
        size = np.array(sample.image.shape[1::-1])
        sides = np.maximum(1, (rng.uniform(*_SIDES, (_PATCHES, 2)) * size).astype(np.int64))
        corners = rng.integers(0, size - sides, endpoint=True)
        image = sample.image.copy()
        for (left, top), (right, bottom) in zip(corners, corners + sides, strict=True):
            image[top:bottom, left:right] = 0
            for points in (sample.keypoints, sample.unique_keypoints):
                x, y = points[..., 0], points[..., 1]
                with np.errstate(invalid="ignore"):
                    hidden = (x >= left) & (x < right) & (y >= top) & (y < bottom)
                points[hidden, :2] = np.nan
        sample.image = image
        return sample
