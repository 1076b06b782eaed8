"""The chain of transforms that an image goes through."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import numpy as np

from dlcore.interfaces.geometry import apply_warps
from dlcore.interfaces.transform import GeometricTransform, Transform
from dlcore.interfaces.types import Sample


class TransformChain:
    """Applies transforms in their own order; neighbouring geometric ones as one warp.

    Attributes:
        transforms: In the order in which they are applied.

    Args:
        transforms: In any order.
        inference: Whether the chain prepares images for validation or prediction; every transform
            is then asked for what stands in for it there (`Transform.for_inference`).
    """

    def __init__(self, transforms: Iterable[Transform] = (), *, inference: bool = False) -> None:
        if inference:
            transforms = [transform.for_inference() for transform in transforms]
        self.transforms = tuple(sorted(transforms, key=lambda transform: transform.order))
        self._steps = tuple(_steps(self.transforms))

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The transformed sample.

        Args:
            sample: Changed in place, except its image array.
            rng: The only source of randomness.
        """
        for step in self._steps:
            if isinstance(step, Transform):
                sample = step(sample, rng)
            else:
                sample = apply_warps(step, sample, rng)
        return sample


def _steps(
    transforms: tuple[Transform, ...],
) -> Iterable[Transform | tuple[GeometricTransform, ...]]:
    for joinable, group in groupby(transforms, key=_is_joinable):
        if joinable:
            yield tuple(member for member in group if isinstance(member, GeometricTransform))
        else:
            yield from group


def _is_joinable(transform: Transform) -> bool:
    """Whether it is nothing but a warp; one that does more in its `__call__` stands alone."""
    return (
        isinstance(transform, GeometricTransform)
        and type(transform).__call__ is GeometricTransform.__call__
    )
