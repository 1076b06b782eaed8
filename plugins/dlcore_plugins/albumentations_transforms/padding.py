"""Padding to sizes that a network likes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import ClassVar, Literal

import cv2
import numpy as np

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore.interfaces.geometry import move_labels, translation
from dlcore_plugins.albumentations_transforms.validation import positive

_BORDERS = {"reflect_101": cv2.BORDER_REFLECT_101, "constant": cv2.BORDER_CONSTANT}
_SHARE_BEFORE = {
    "center": (0.5, 0.5),
    "top_left": (0.0, 0.0),
    "top_right": (1.0, 0.0),
    "bottom_left": (0.0, 1.0),
    "bottom_right": (1.0, 1.0),
}


class AutoPadding(Transform):
    """Pads to a least size and to multiples of a number.

    Args:
        task: The names of the keypoints.
        min_height: Least height of the result.
        min_width: Least width of the result.
        pad_height_divisor: What the height is a multiple of.
        pad_width_divisor: What the width is a multiple of.
        position: Where the image lies in the result. Left out, anywhere in training and at the
            top left in validation and prediction.
        border_mode: Whether the border mirrors the image or has one colour.
        border_value: That colour, 0 to 255, one number or three.
        border_mask_value: Has no effect; there are no masks.
    """

    order: ClassVar[float] = 130.0

    def __init__(
        self,
        task: PoseTask,
        *,
        min_height: int | None = None,
        min_width: int | None = None,
        pad_height_divisor: int | None = 1,
        pad_width_divisor: int | None = 1,
        position: Literal[
            "center", "top_left", "top_right", "bottom_left", "bottom_right", "random"
        ]
        | None = None,
        border_mode: Literal["reflect_101", "constant"] = "reflect_101",
        border_value: float | Sequence[float] | None = None,
        border_mask_value: float | Sequence[float] | None = None,
    ) -> None:
        self.least = (
            positive("min_width", 1 if min_width is None else min_width),
            positive("min_height", 1 if min_height is None else min_height),
        )
        self.divisors = (
            positive("pad_width_divisor", 1 if pad_width_divisor is None else pad_width_divisor),
            positive("pad_height_divisor", 1 if pad_height_divisor is None else pad_height_divisor),
        )
        self.position: str | None = position
        self.border = _BORDERS[border_mode]
        self.colour = _colour(border_value)

    def for_inference(self) -> Transform:
        """The same, with the image at the top left where no position was set."""
        fixed = copy.copy(self)
        fixed.position = self.position or "top_left"
        return fixed

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The padded sample; an image that has the right size stays as it is."""
        height, width = sample.image.shape[:2]
        right, bottom = (
            -(-max(size, least) // divisor) * divisor - size
            for size, least, divisor in zip((width, height), self.least, self.divisors, strict=True)
        )
        if right == 0 and bottom == 0:
            return sample
        left, top = self._before(right, bottom, rng)
        image = cv2.copyMakeBorder(
            sample.image,
            top,
            bottom - top,
            left,
            right - left,
            self.border,
            value=self.colour,
        )
        sample.image = np.asarray(image, dtype=np.uint8)
        move_labels(sample, translation(left, top))
        return sample

    def _before(self, width: int, height: int, rng: np.random.Generator) -> tuple[int, int]:
        """How much of the padding lies left of the image, and how much above."""
        if self.position in (None, "random"):
            return int(rng.integers(width, endpoint=True)), int(rng.integers(height, endpoint=True))
        share_x, share_y = _SHARE_BEFORE[self.position]
        return int(width * share_x), int(height * share_y)


def _colour(value: float | Sequence[float] | None) -> tuple[float, ...]:
    if value is None:
        return (0.0, 0.0, 0.0)
    if isinstance(value, int | float):
        return (float(value),) * 3
    if len(value) != 3:
        raise ValueError(f"border_value must be one number or three, got {list(value)}")
    return tuple(float(number) for number in value)
