"""Smooth random displacement of all pixels."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask, Sample, Transform
from dlcore_plugins.albumentations_transforms.validation import probability

_STRENGTH = 20.0
_SMOOTHNESS = 5.0
_ROUNDS = 8

Field = npt.NDArray[np.float32]


class ElasticTransform(Transform):
    """Displaces pixels by smooth noise, about half a pixel to two; points move along.

    Boxes and `to_network` stay: the displacement has no direction on average.

    Args:
        task: The names of the keypoints.
        p: How often.
    """

    order: ClassVar[float] = 100.0

    def __init__(self, task: PoseTask, *, p: float = 0.5) -> None:
        self.p = probability("p", p)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample, displaced."""
        if rng.random() >= self.p:
            return sample
        height, width = sample.image.shape[:2]
        noise = rng.random((2, height, width), dtype=np.float32) * 2 - 1
        field = np.stack(
            [_STRENGTH * cv2.GaussianBlur(layer, (0, 0), _SMOOTHNESS) for layer in noise]
        )
        columns = np.arange(width, dtype=np.float32)[None]
        rows = np.arange(height, dtype=np.float32)[:, None]
        image = cv2.remap(sample.image, field[0] + columns, field[1] + rows, cv2.INTER_CUBIC)
        sample.image = np.asarray(image, dtype=np.uint8)
        sample.keypoints = displace(sample.keypoints, field)
        sample.unique_keypoints = displace(sample.unique_keypoints, field)
        return sample


def displace(points: npt.NDArray[np.float32], field: Field) -> npt.NDArray[np.float32]:
    """Points (..., 3) of the original where they are in the displaced image.

    Args:
        points: x, y, visibility.
        field: (2, H, W): the pixel at p shows what was at p + field[:, p].
    """
    targets = points[..., :2].astype(np.float64)
    places = targets.copy()
    for _ in range(_ROUNDS):  # p + field(p) = target, solved for p; the field is flat enough
        places = targets - _sample_field(field, places)
    moved: npt.NDArray[np.float32] = points.copy()
    moved[..., :2] = places
    return moved


def _sample_field(field: Field, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The field between pixel centres, by linear interpolation; constant beyond the border."""
    height, width = field.shape[1:]
    x = np.clip(np.nan_to_num(places[..., 0]) - 0.5, 0, width - 1)
    y = np.clip(np.nan_to_num(places[..., 1]) - 0.5, 0, height - 1)
    left, top = x.astype(np.int64), y.astype(np.int64)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    across, down = x - left, y - top
    upper: npt.NDArray[np.float64] = (
        field[:, top, left] * (1 - across) + field[:, top, right] * across
    )
    lower = field[:, bottom, left] * (1 - across) + field[:, bottom, right] * across
    between: npt.NDArray[np.float64] = upper * (1 - down) + lower * down
    return np.moveaxis(between, 0, -1)
