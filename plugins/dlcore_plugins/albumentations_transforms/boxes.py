"""Jitter of boxes, for models that look at one box at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore_plugins.albumentations_transforms.validation import interval, not_negative, probability


class RandomBoxTransform(Transform):
    """Moves and scales each box by itself and cuts it to the image; the image stays.

    Shifts and factors follow a standard normal law cut off at the given limits.

    Args:
        task: The names of the keypoints.
        p: How often an image is touched at all.
        shift_factor: Most shift, in widths and heights of the box.
        shift_prob: How often a box is moved.
        scale_factor: Least and greatest factor for width and height.
        scale_prob: How often a box is scaled.
    """

    order: ClassVar[float] = 50.0

    def __init__(
        self,
        task: PoseTask,
        *,
        p: float = 1.0,
        shift_factor: float = 0.1,
        shift_prob: float = 0.25,
        scale_factor: Sequence[float] = (0.75, 1.25),
        scale_prob: float = 1.0,
    ) -> None:
        self.p = probability("p", p)
        self.shift_factor = not_negative("shift_factor", shift_factor)
        self.shift_prob = probability("shift_prob", shift_prob)
        self.scale_factor = interval("scale_factor", scale_factor, above=0)
        self.scale_prob = probability("scale_prob", scale_prob)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with other boxes."""
        if rng.random() >= self.p:
            return sample
        height, width = sample.image.shape[:2]
        boxes = sample.boxes.astype(np.float64)
        sizes, centres = boxes[:, 2:], boxes[:, :2] + boxes[:, 2:] / 2
        shape = sizes.shape
        scaled = rng.random(len(boxes)) < self.scale_prob
        factors = truncated_normal(*self.scale_factor, shape, rng)
        moved = rng.random(len(boxes)) < self.shift_prob
        shifts = truncated_normal(-self.shift_factor, self.shift_factor, shape, rng)
        centres = centres + np.where(moved[:, None], shifts, 0) * sizes
        sizes = sizes * np.where(scaled[:, None], factors, 1)
        low = np.clip(centres - sizes / 2, 0, (width, height))
        high = np.clip(centres + sizes / 2, 0, (width, height))
        sample.boxes = np.concatenate([low, high - low], axis=-1).astype(np.float32)
        return sample


def truncated_normal(
    low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Draws from the standard normal law restricted to [low, high]."""
    values = rng.uniform(low, high, shape)
    peak = 0.0 if low <= 0 <= high else min(low**2, high**2)
    waiting = rng.random(shape) >= np.exp((peak - values**2) / 2)
    while waiting.any():
        count = int(waiting.sum())
        values[waiting] = rng.uniform(low, high, count)
        waiting[waiting] = rng.random(count) >= np.exp((peak - values[waiting] ** 2) / 2)
    return values
