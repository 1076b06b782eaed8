"""Draw poses into an image."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask, Prediction

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_FRACTION_BITS = 4  # places are drawn to a sixteenth of a pixel


@dataclass(frozen=True)
class Style:
    """How poses are drawn.

    Attributes:
        pcutoff: Keypoints with a lower score are not drawn.
        radius: Of the dots in pixels; None for a hundredth of the shorter side.
        color_by: What a colour stands for.
    """

    pcutoff: float = 0.6
    radius: int | None = None
    color_by: Literal["individual", "bodypart"] = "individual"


def draw(pixels: Image, prediction: Prediction, task: PoseTask, style: Style) -> Image:
    """A copy of an image with what was found in it."""
    drawn: Image = np.ascontiguousarray(pixels).copy()
    radius = style.radius or max(2, round(min(pixels.shape[:2]) / 100))
    by_part = colours(task.num_keypoints)
    by_individual = colours(task.num_individuals)
    for row, pose in enumerate(prediction.poses):
        own = [by_individual[row % len(by_individual)]] * len(pose)
        chosen = by_part if style.color_by == "bodypart" else own
        seen = np.isfinite(pose).all(axis=1) & (pose[:, 2] >= style.pcutoff)
        for first, second in task.skeleton:
            if seen[first] and seen[second]:
                cv2.line(
                    drawn,
                    _place(pose[first]),
                    _place(pose[second]),
                    own[0],
                    max(1, radius // 2),
                    cv2.LINE_AA,
                    _FRACTION_BITS,
                )
        for keypoint in np.flatnonzero(seen):
            _dot(drawn, pose[keypoint], chosen[keypoint], radius)
    for point in () if prediction.unique is None else prediction.unique:
        if np.isfinite(point).all() and point[2] >= style.pcutoff:
            _dot(drawn, point, (255, 255, 255), radius)
    return drawn


def colours(number: int) -> list[Colour]:
    """So many colours that are easy to tell apart, RGB."""
    hues = [index / max(1, number) for index in range(number)]
    shades = [colorsys.hsv_to_rgb(hue, 0.85, 1.0) for hue in hues]
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in shades]


def fit(pixels: Image, size: tuple[int, int]) -> Image:
    """An image scaled to fit in (width, height), black around it; itself if it fits already."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    scale = min(size[0] / width, size[1] / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    fitted: Image = np.zeros((size[1], size[0], 3), np.uint8)
    fitted[: inner[1], : inner[0]] = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA)
    return fitted


def _dot(image: Image, point: npt.NDArray[np.float64], colour: Colour, radius: int) -> None:
    place = _place(point)
    bits = _FRACTION_BITS
    cv2.circle(image, place, (radius + 1) << bits, (0, 0, 0), -1, cv2.LINE_AA, bits)
    cv2.circle(image, place, radius << bits, colour, -1, cv2.LINE_AA, bits)


def _place(point: npt.NDArray[np.float64]) -> tuple[int, int]:
    """A place in the units of OpenCV, for which (0, 0) is the centre of the first pixel."""
    limit = 1 << 14
    x, y = np.clip(point[:2] - 0.5, -limit, limit) * (1 << _FRACTION_BITS)
    return round(float(x)), round(float(y))
