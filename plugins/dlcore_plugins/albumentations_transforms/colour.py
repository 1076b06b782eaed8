"""Transforms that change pixel values and move nothing."""

from __future__ import annotations

from typing import Any, ClassVar

import cv2
import numpy as np

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore_plugins.albumentations_transforms.library import LibraryTransform
from dlcore_plugins.albumentations_transforms.validation import probability

_LEAST_GREY = 0.5


class HistogramEqualization(LibraryTransform):
    """Equalises the histogram of each channel.

    Args:
        task: The names of the keypoints.
        p: How often.
    """

    order: ClassVar[float] = 70.0

    def __init__(self, task: PoseTask, *, p: float = 0.5) -> None:
        super().__init__(task, p=p)

    def make(self, library: Any) -> Any:
        """Per channel, as OpenCV does it."""
        return library.Equalize(mode="cv", by_channels=True, p=1.0)


class MotionBlur(LibraryTransform):
    """Blurs along a line of 3 to 7 pixels in any direction.

    The line is centred, so that what is blurred stays where its keypoints are.

    Args:
        task: The names of the keypoints.
        p: How often.
    """

    order: ClassVar[float] = 80.0

    def __init__(self, task: PoseTask, *, p: float = 0.5) -> None:
        super().__init__(task, p=p)

    def make(self, library: Any) -> Any:
        """Centred, and neither forward nor backward."""
        return library.MotionBlur(
            blur_limit=(3, 7), allow_shifted=False, direction_range=(0.0, 0.0), p=1.0
        )


class Grayscale(Transform):
    """Blends the image with its grey version, which has a share of 50 % to 100 %.

    Args:
        task: The names of the keypoints.
        p: How often.
    """

    order: ClassVar[float] = 110.0

    def __init__(self, task: PoseTask, *, p: float = 0.5) -> None:
        self.p = probability("p", p)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample with less colour."""
        if rng.random() < self.p:
            share = rng.uniform(_LEAST_GREY, 1.0)
            grey = cv2.cvtColor(sample.image, cv2.COLOR_RGB2GRAY)
            grey = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
            blend = cv2.addWeighted(sample.image, 1 - share, grey, share, 0)
            sample.image = np.asarray(blend, dtype=np.uint8)
        return sample
