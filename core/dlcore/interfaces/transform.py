"""Transforms: augmentation and preparation of single images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from dlcore.interfaces.types import Sample


class Transform(ABC):
    """Changes one sample.

    Its component name is its key in `data.train` and `data.inference`. A subclass takes `task`
    (`PoseTask`) as its only positional parameter and what YAML may set as keyword-only ones. In
    YAML, `key: {...}` gives options, `key: true` takes the defaults, a number or a string sets the
    first option, `false` and null leave the transform out.

    Attributes:
        order: Where it stands in the chain, which does not depend on the order in the file. The
            bundled ones stand at 10, 20, ... in the order of the reference; geometry comes before
            colour.
    """

    order: ClassVar[float] = 500.0

    @abstractmethod
    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The changed sample.

        Args:
            sample: May be changed in place, except `sample.image`, which may be shared.
            rng: The only source of randomness. It is seeded from the run's seed, the epoch and the
                position of the image, so that a run does not depend on the number of workers.
        """
        raise NotImplementedError

    def for_inference(self) -> Transform:
        """What stands in for this transform where nothing is left to chance.

        The engine asks for it when it builds the chain for validation, evaluation and prediction.
        """
        return self


class Warp(NamedTuple):
    """An affine change of the image plane.

    Attributes:
        matrix: (2, 3) float64, `(x', y') = M @ (x, y, 1)` in continuous pixels (the top-left corner
            of the image is (0, 0), the centre of its first pixel is (0.5, 0.5)).
        size: (width, height) of the result.
        swaps: Pairs of keypoint indices that change places in every individual, because the warp
            mirrors the image.
        unique_swaps: Likewise for the unique keypoints.
    """

    matrix: npt.NDArray[np.float64]
    size: tuple[int, int]
    swaps: tuple[tuple[int, int], ...] = ()
    unique_swaps: tuple[tuple[int, int], ...] = ()


class GeometricTransform(Transform):
    """A transform that moves pixels by an affine map.

    The engine joins neighbouring geometric transforms into one warp, so that an image is
    interpolated once however many there are.
    """

    @abstractmethod
    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp | None:
        """What to do with an image, or None to leave it as it is.

        Args:
            sample: Points and boxes as they are at this place in the chain. `sample.image` is not
                yet warped by the transforms before this one: use `size`.
            size: (width, height) of the image at this place in the chain.
            rng: The only source of randomness.
        """
        raise NotImplementedError

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Apply this transform alone."""
        from dlcore.interfaces.geometry import apply_warps

        return apply_warps([self], sample, rng)
