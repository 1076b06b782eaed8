"""Random generators that depend on what is drawn for, never on who draws or when.

A run therefore does not depend on the number of workers, and a resumed run draws what an
uninterrupted one would have drawn.
"""

from __future__ import annotations

import numpy as np

_ORDER, _SAMPLE, _BATCH, _PICTURE = 1, 2, 3, 4  # first, as numpy cannot tell (a, b) from (a, b, 0)


def order_generator(seed: int, epoch: int) -> np.random.Generator:
    """For the order of the images in an epoch."""
    return _generator(_ORDER, seed, epoch)


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """For the transforms of the image at position `index` of its split."""
    return _generator(_SAMPLE, seed, epoch, index)


def batch_generator(seed: int, epoch: int, number: int) -> np.random.Generator:
    """For the collate of the batch of that number."""
    return _generator(_BATCH, seed, epoch, number)


def picture_generator(seed: int, split: int) -> np.random.Generator:
    """For the choice of the image of a split that pictures are made of."""
    return _generator(_PICTURE, seed, split)


def _generator(purpose: int, seed: int, *place: int) -> np.random.Generator:
    entropy = (purpose, seed % 2**64, *place)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
