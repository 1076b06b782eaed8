"""Random scaling, rotation, shearing and translation about the centre of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import GeometricTransform, PoseTask, Sample, Warp
from dlcore.interfaces.geometry import compose, scaling, translation
from dlcore_plugins.albumentations_transforms.validation import interval, not_negative, probability

_DEFAULT_SCALING = (0.9, 1.1)
_DEFAULT_ROTATION = 15.0
_DEFAULT_SHEAR = 10.0
_DEFAULT_SHIFT = 0.1


class Affine(GeometricTransform):
    """Scales, rotates and moves the image within its frame; what comes in is black.

    Left out, an option changes nothing. With none of the three, all of them take the library's
    defaults: scaling 0.9 to 1.1, rotation up to 15 degrees, translation up to 10 % of the image,
    and shear up to 10 degrees.

    Args:
        task: The names of the keypoints.
        p: How often.
        rotation: Most degrees in either direction.
        scaling: Least and greatest factor.
        translation: Most pixels in each direction.
    """

    order: ClassVar[float] = 40.0

    def __init__(
        self,
        task: PoseTask,
        *,
        p: float = 0.9,
        rotation: float | None = None,
        scaling: Sequence[float] | None = None,
        translation: int | None = None,
    ) -> None:
        self.p = probability("p", p)
        self.by_default = rotation is None and scaling is None and translation is None
        self.rotation = not_negative("rotation", rotation or 0.0)
        self.scaling = interval("scaling", scaling, above=0) if scaling is not None else (1.0, 1.0)
        self.translation = int(not_negative("translation", translation or 0))

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """One random affine map about the centre."""
        if rng.random() >= self.p:
            return None
        if self.by_default:
            matrix = affine_matrix(
                size,
                scale=rng.uniform(*_DEFAULT_SCALING),
                rotation=rng.uniform(-_DEFAULT_ROTATION, _DEFAULT_ROTATION),
                shift=rng.uniform(-_DEFAULT_SHIFT, _DEFAULT_SHIFT, 2) * size,
                shear=rng.uniform(-_DEFAULT_SHEAR, _DEFAULT_SHEAR, 2),
            )
        else:
            matrix = affine_matrix(
                size,
                scale=rng.uniform(*self.scaling),
                rotation=rng.uniform(-self.rotation, self.rotation),
                shift=rng.integers(-self.translation, self.translation, 2, endpoint=True),
            )
        return Warp(matrix, size)


class ScaleJitter(GeometricTransform):
    """Scales the image about its centre within its frame, as `affine` with `scaling` alone.

    Args:
        task: The names of the keypoints.
        p: How often.
        scaling: Least and greatest factor.
    """

    order: ClassVar[float] = 45.0

    def __init__(
        self, task: PoseTask, *, p: float = 0.5, scaling: Sequence[float] = (0.5, 1.25)
    ) -> None:
        self.p = probability("p", p)
        self.scaling = interval("scaling", scaling, above=0)

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """One random scaling about the centre."""
        if rng.random() >= self.p:
            return None
        return Warp(affine_matrix(size, scale=rng.uniform(*self.scaling)), size)


def affine_matrix(
    size: tuple[int, int],
    *,
    scale: float = 1.0,
    rotation: float = 0.0,
    shift: Sequence[float] | npt.NDArray[np.generic] = (0.0, 0.0),
    shear: Sequence[float] | npt.NDArray[np.generic] = (0.0, 0.0),
) -> npt.NDArray[np.float64]:
    """The (2, 3) matrix that scales, shears, rotates about the centre, and then moves.

    Args:
        size: (width, height) of the image.
        scale: Factor for both axes.
        rotation: Degrees, anticlockwise as seen on the screen.
        shift: Pixels along x and y.
        shear: Degrees along x and y.
    """
    angle, (shear_x, shear_y) = np.deg2rad(rotation), np.tan(np.deg2rad(shear))
    cosine, sine = np.cos(angle), np.sin(angle)
    return compose(
        translation(size[0] / 2 + float(shift[0]), size[1] / 2 + float(shift[1])),
        np.array([[cosine, sine, 0], [-sine, cosine, 0]]),
        np.array([[1, shear_x, 0], [shear_y, 1, 0]]),
        scaling(scale, scale),
        translation(-size[0] / 2, -size[1] / 2),
    )
