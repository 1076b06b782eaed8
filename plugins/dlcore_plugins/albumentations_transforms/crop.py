"""Windows of fixed size, cut where the keypoints are."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import GeometricTransform, PoseTask, Sample, Warp
from dlcore.interfaces.geometry import translation
from dlcore_plugins.albumentations_transforms.validation import not_negative, positive

_GREATEST_SHIFT = 0.4
_NEIGHBOURHOOD = 0.1
_BELOW_ONE = float(np.nextafter(1.0, 0.0))


class CropSampling(GeometricTransform):
    """Cuts out a window; an image that is smaller is centred on black first.

    A point of the image is chosen, and the window lies so that the point has the same relative
    place in the window as in the image. Only visible keypoints are chosen; an image without any is
    cut as by "uniform".

    Args:
        task: The names of the keypoints.
        width: Of the window.
        height: Of the window.
        max_shift: How far the chosen point may be moved to the right and down, in widths and
            heights of the window; at most 0.4.
        method: "uniform" for any place, "keypoints" for any keypoint, "density" for keypoints that
            have others near them, "hybrid" for "uniform" or "density", half and half.
    """

    order: ClassVar[float] = 60.0

    def __init__(
        self,
        task: PoseTask,
        *,
        width: int,
        height: int,
        max_shift: float = 0.1,
        method: Literal["uniform", "keypoints", "density", "hybrid"] = "hybrid",
    ) -> None:
        self.width = positive("width", width)
        self.height = positive("height", height)
        self.max_shift = min(not_negative("max_shift", max_shift), _GREATEST_SHIFT)
        self.method = method

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """A move by whole pixels into the window."""
        window = np.array([self.width, self.height])
        padded = np.maximum(size, window)
        margin = (padded - size) // 2
        place = self._relative_place(_visible_points(sample, size) + margin, padded, rng)
        start = np.floor((padded - window + 1) * place)
        x, y = margin - start
        return Warp(translation(x, y), (self.width, self.height))

    def _relative_place(
        self,
        points: npt.NDArray[np.float64],
        padded: npt.NDArray[np.int64],
        rng: np.random.Generator,
    ) -> npt.NDArray[np.float64]:
        """Where the window starts, as a fraction in [0, 1) of the room there is."""
        method = self.method
        if method == "hybrid":
            method = "density" if rng.random() < 0.5 else "uniform"
        if method == "uniform" or len(points) == 0:
            return rng.random(2)
        weights = np.ones(len(points))
        if method == "density":
            weights = count_within(points, _NEIGHBOURHOOD * padded.min())
        point = points[rng.choice(len(points), p=weights / weights.sum())]
        shift = self.max_shift * rng.random(2) ** 2 * (self.width, self.height)
        return np.asarray(np.clip((point + shift) / padded, 0.0, _BELOW_ONE), np.float64)


def count_within(points: npt.NDArray[np.float64], radius: float) -> npt.NDArray[np.float64]:
    """For each of the points (n, 2), how many lie within a radius, itself included."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return np.asarray((distances <= radius).sum(axis=-1), np.float64)


def _visible_points(sample: Sample, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """The places (n, 2) of keypoints that are labelled and inside the image."""
    points = np.concatenate([sample.keypoints.reshape(-1, 3), sample.unique_keypoints])
    with np.errstate(invalid="ignore"):
        inside = ((points[:, :2] >= 0) & (points[:, :2] < size)).all(axis=-1)
        return points[inside & (points[:, 2] > 0), :2].astype(np.float64)
