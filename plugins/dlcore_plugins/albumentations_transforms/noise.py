"""Gaussian noise, fast."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore_plugins.albumentations_transforms.validation import not_negative, probability

_POOL_SIZE = 1 << 22
_CHUNK = 1 << 20


class GaussianNoise(Transform):
    """Adds Gaussian noise to each value; its variance is uniform between 0 and `sigma` squared.

    Drawing normal numbers would take longer than all other transforms together. The noise is cut
    at random places out of a fixed pool of four million normal numbers instead.

    Args:
        task: The names of the keypoints.
        sigma: Greatest standard deviation, of values from 0 to 255.
        p: How often.
    """

    order: ClassVar[float] = 120.0

    def __init__(self, task: PoseTask, *, sigma: float = 12.75, p: float = 0.5) -> None:
        self.sigma = not_negative("sigma", sigma)
        self.p = probability("p", p)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with a noisy image."""
        if rng.random() >= self.p:
            return sample
        deviation = float(np.sqrt(rng.uniform(0, self.sigma**2)))
        flat = np.ascontiguousarray(sample.image).reshape(-1)
        noisy = np.empty_like(flat)
        for start in range(0, len(flat), _CHUNK):
            values = flat[start : start + _CHUNK]
            place = int(rng.integers(_POOL_SIZE - len(values), endpoint=True))
            noise = _pool()[place : place + len(values)]
            blend = cv2.addWeighted(values, 1.0, noise, deviation, 0.0, dtype=cv2.CV_8U)
            noisy[start : start + _CHUNK] = blend.reshape(-1)
        sample.image = noisy.reshape(sample.image.shape)
        return sample


@cache
def _pool() -> npt.NDArray[np.float32]:
    """Standard normal numbers, the same in every process."""
    generator = np.random.Generator(np.random.PCG64(0))
    return generator.standard_normal(_POOL_SIZE, dtype=np.float32)
