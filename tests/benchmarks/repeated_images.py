"""A data set of any number of images, of which few exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcore.data.images import image_size
from dlcore.interfaces import DatasetContext, PoseDataset, PoseTask, Record
from dlcore.testing.animals import KEYPOINTS


class RepeatedImages(PoseDataset):
    """Images of a folder over and over, each with labels of its own.

    Args:
        folder: Holds PNG files of one size.
        count: Training images; there are no others.
    """

    def __init__(self, context: DatasetContext, *, folder: str, count: int) -> None:
        self._files = sorted(Path(folder).glob("*.png"))
        self._count = count
        self.task = PoseTask(KEYPOINTS, (), ("individual0",), False)

    def splits(self) -> tuple[str, ...]:
        """Training only."""
        return ("train",)

    def records(self, split: str) -> list[Record]:
        """As many as there should be."""
        size = image_size(self._files[0])
        rng = np.random.default_rng(0)
        return [self._record(number, size, rng) for number in range(self._count)]

    def _record(self, number: int, size: tuple[int, int], rng: np.random.Generator) -> Record:
        keypoints = np.full((1, len(KEYPOINTS), 3), 2, np.float32)
        keypoints[..., :2] = rng.uniform(0, min(size), (1, len(KEYPOINTS), 2))
        return Record(
            image=self._files[number % len(self._files)],
            size=size,
            keypoints=keypoints,
            unique_keypoints=np.zeros((0, 3), np.float32),
            individual_ids=np.zeros(1, np.int64),
            boxes=None,
        )
