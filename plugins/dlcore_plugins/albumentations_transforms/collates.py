"""Collates that crop a batch to one size, a new one for every batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from dlcore.interfaces import Collate, Sample
from dlcore.interfaces.geometry import compose, move_labels, scaling, translation, warp_image
from dlcore_plugins.albumentations_transforms.validation import interval, not_negative, positive


class _ResizeCollate(Collate):
    """Resizes images so that they cover the target, and crops the target at a random place."""

    def __init__(self, *, max_shift: int = 10, max_size: int | None = 2048, seed: int = 0) -> None:
        self.max_shift = int(not_negative("max_shift", max_shift))
        self.max_size = None if max_size is None else positive("max_size", max_size)
        self.seed = int(not_negative("seed", seed))

    @abstractmethod
    def target_size(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """(width, height) of a batch whose first image has `size`."""
        raise NotImplementedError

    def __call__(self, samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
        """The samples, resized and cropped."""
        rng = np.random.default_rng([self.seed, int(rng.integers(2**63))])
        height, width = samples[0].image.shape[:2]
        target = self.target_size((width, height), rng)
        return [self._fit(sample, target, rng) for sample in samples]

    def _fit(self, sample: Sample, target: tuple[int, int], rng: np.random.Generator) -> Sample:
        size = np.array(sample.image.shape[1::-1])
        factor = float((target / size).max())
        if self.max_size is not None:
            factor = min(factor, self.max_size / int(size.max()))
        resized = np.maximum(1, (size * factor + 1e-6).astype(np.int64))
        room = resized - target
        low = np.minimum(room, 0) - self.max_shift
        high = np.maximum(room, 0) + self.max_shift
        offset = rng.integers(low, high, endpoint=True)
        matrix = compose(translation(*(-offset)), scaling(*(resized / size)))
        sample.image = warp_image(sample.image, matrix, target, smooth=True)
        move_labels(sample, matrix)
        return sample


class ResizeFromDataSizeCollate(_ResizeCollate):
    """Crops a batch to a random scale of its first image.

    Args:
        min_scale: Least factor.
        max_scale: Greatest factor.
        min_short_side: Least length of the shorter side, in pixels.
        max_short_side: Greatest length of the shorter side, in pixels.
        max_ratio: Greatest ratio of the longer side to the shorter.
        multiple_of: Round both sides up to a multiple of this.
        to_square: Make both sides as long as the shorter.
        max_shift: Pixels by which the crop may lie beyond the resized image, which is black there.
        max_size: Longest side of the resized image before the crop.
        seed: Gives other draws; they differ by run, epoch and batch in any case.
    """

    def __init__(
        self,
        *,
        min_scale: float,
        max_scale: float,
        min_short_side: int = 128,
        max_short_side: int = 1152,
        max_ratio: float = 2.0,
        multiple_of: int | None = None,
        to_square: bool = False,
        max_shift: int = 10,
        max_size: int | None = 2048,
        seed: int = 0,
    ) -> None:
        super().__init__(max_shift=max_shift, max_size=max_size, seed=seed)
        self.scales = interval("[min_scale, max_scale]", (min_scale, max_scale), above=0)
        self.short_sides = interval(
            "[min_short_side, max_short_side]", (min_short_side, max_short_side), above=0
        )
        if max_ratio < 1:
            raise ValueError(f"max_ratio must be at least 1, got {max_ratio}")
        self.max_ratio = max_ratio
        self.multiple_of = 1 if multiple_of is None else positive("multiple_of", multiple_of)
        self.to_square = to_square

    def target_size(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """A scale of the first image, within the limits."""
        short = round(float(np.clip(rng.uniform(*self.scales) * min(size), *self.short_sides)))
        ratio = 1.0 if self.to_square else min(max(size) / min(size), self.max_ratio)
        short, long = (
            -(-side // self.multiple_of) * self.multiple_of for side in (short, int(ratio * short))
        )
        return (long, short) if size[0] >= size[1] else (short, long)


class ResizeFromListCollate(_ResizeCollate):
    """Crops a batch to a size drawn from a list.

    Args:
        scales: The sizes in pixels, each a number for a square or a pair (height, width).
        max_shift: Pixels by which the crop may lie beyond the resized image, which is black there.
        max_size: Longest side of the resized image before the crop.
        seed: Gives other draws; they differ by run, epoch and batch in any case.
    """

    def __init__(
        self,
        *,
        scales: Sequence[int | Sequence[int]],
        max_shift: int = 10,
        max_size: int | None = 2048,
        seed: int = 0,
    ) -> None:
        super().__init__(max_shift=max_shift, max_size=max_size, seed=seed)
        if not scales:
            raise ValueError("scales must hold at least one size, got []")
        self.sizes = tuple(_size(scale) for scale in scales)

    def target_size(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int]:
        """Any of the sizes."""
        return self.sizes[int(rng.integers(len(self.sizes)))]


def _size(scale: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(scale, int):
        return positive("scales", scale), positive("scales", scale)
    if len(scale) != 2:
        raise ValueError(f"scales must hold numbers or pairs (height, width), got {list(scale)}")
    return positive("scales", scale[1]), positive("scales", scale[0])
