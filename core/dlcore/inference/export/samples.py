"""Images that an exported network is tried with, as batches of its size.

Legend: K keypoints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcore.data.crops import one_by_one
from dlcore.data.images import read_image
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import DlcoreError
from dlcore.inference.images import Floats, one_box, whole_image
from dlcore.inference.parts import PoseParts
from dlcore.inference.sources import IMAGE_SUFFIXES
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import Batch, Sample

Pixels = npt.NDArray[np.uint8]

_PROBES = ((97, 131), (203, 109), (192, 256))
_BLOCK = 16
_REAL_IMAGES = 4
_SMALL = 64


@dataclass(frozen=True)
class Tries:
    """Makes batches for a pose network.

    Args:
        parts: Of the network.
        method: "bu", "td" or "ctd".
        margin: Pixels added around the keypoints of labelled individuals.
    """

    parts: PoseParts
    method: str
    margin: float

    def random(self, count: int, size: tuple[int, int], seed: int = 0) -> Batch:
        """A batch of patches and noise.

        Args:
            count: Images.
            size: (height, width) of the images, before they are made ready for the network.
            seed: Of what they show.
        """
        draw = np.random.default_rng(seed)
        return self._batch([self._random(draw, size) for _ in range(count)])

    def sizes(self) -> set[tuple[int, int]]:
        """(height, width) in which images of several sizes reach the network."""
        made = [self.random(1, size).images.shape[2:] for size in _PROBES]
        return {(height, width) for height, width in made}

    def size_multiple(self) -> int:
        """What the sides of images must be multiples of, for the network and by its padding."""
        padded = self.sizes() - set(_PROBES)
        common = math.gcd(*(side for size in padded for side in size)) if padded else 1
        for multiple in (1, 2, 4, 8, 16, 32, 64):
            if self._takes(multiple):
                return math.lcm(multiple, common)
        return math.lcm(_SMALL, common)

    def _takes(self, multiple: int) -> bool:
        side = multiple * (_SMALL // multiple + 1)
        try:
            with torch.inference_mode():
                self.parts.model(torch.zeros(1, 3, side, side + 2 * multiple))
        except RuntimeError:  # maps of different branches do not meet
            return False
        return True

    def real(self, run: TrainedRun, given: Sequence[Path]) -> list[Batch]:
        """Real images, one alone and several together; none if there are none.

        Args:
            run: Its dataset has some, if it is still there.
            given: Files and folders that are taken instead.

        Raises:
            DataError: If a given file cannot be read.
        """
        if given:
            samples = list(islice(self._given(given), _REAL_IMAGES))
        else:
            try:
                samples = list(islice(self._labelled(run), _REAL_IMAGES))
            except (DlcoreError, OSError) as error:
                LOGGER.warning("the images of the run cannot be had: %s", error)
                samples = []
        if not samples:
            return []
        prepared = replace(self.parts.preparation, batch_size=_REAL_IMAGES)(samples)
        largest = max(prepared, key=lambda batch: len(batch.images))
        together = [samples[i] for i in largest.indices.tolist()]
        return [self._batch(together[:1]), self._batch(together if together[1:] else together * 2)]

    def _batch(self, samples: Sequence[Sample]) -> Batch:
        (batch,) = replace(self.parts.preparation, batch_size=len(samples))(samples)
        return batch

    def _random(self, draw: np.random.Generator, size: tuple[int, int]) -> Sample:
        height, width = size
        blocks = draw.integers(0, 200, (height // _BLOCK + 1, width // _BLOCK + 1, 3))
        patches = blocks.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[:height, :width]
        pixels = (patches + draw.integers(0, 56, (height, width, 3))).astype(np.uint8)
        return self._sample(pixels, np.array([0, 0, width, height], float), self._anywhere(pixels))

    def _anywhere(self, pixels: Pixels) -> Floats:
        """A rough pose (K, 3) that has nothing to do with the image."""
        height, width = pixels.shape[:2]
        places = np.random.default_rng(1).uniform(0, 1, (self.parts.task.num_keypoints, 3))
        return np.concatenate((places[:, :2] * (width, height), np.ones_like(places[:, :1])), 1)

    def _given(self, given: Sequence[Path]) -> Iterator[Sample]:
        for path in given:
            inside = sorted(path.rglob("*")) if path.is_dir() else [path]
            for file in inside if inside == [path] else map(Path, inside):
                if file.suffix.lower() in IMAGE_SUFFIXES:
                    pixels = read_image(file)
                    height, width = pixels.shape[:2]
                    whole = np.array([0, 0, width, height], float)
                    yield self._sample(pixels, whole, self._anywhere(pixels))

    def _labelled(self, run: TrainedRun) -> Iterator[Sample]:
        dataset = run.dataset()
        records = dataset.records("test" if "test" in dataset.splits() else dataset.splits()[0])
        if self.method == "bu":
            for record in records:
                yield whole_image(read_image(record.image), self.parts.task)
            return
        for record in one_by_one(records[:_REAL_IMAGES], self.margin):
            assert record.boxes is not None
            rough = record.keypoints[0].astype(float)
            rough[:, 2] = rough[:, 2] > 0
            yield self._sample(read_image(record.image), record.boxes[0], rough)

    def _sample(self, pixels: Pixels, box: Floats, rough: Floats) -> Sample:
        if self.method == "bu":
            return whole_image(pixels, self.parts.task)
        conditions = rough if self.method == "ctd" else None
        return one_box(pixels, box, self.parts.task, conditions)


def inputs_of(batch: Batch, *, conditional: bool) -> list[Tensor]:
    """What an exported network is given for a batch."""
    if not conditional:
        return [batch.images]
    assert batch.conditions is not None
    return [batch.images, batch.conditions.float()]
