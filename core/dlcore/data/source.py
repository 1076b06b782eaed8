"""Where batches are made: in this process or, pickled or forked, in a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from dlcore.data.cache import ImageCache
from dlcore.data.chain import TransformChain
from dlcore.data.images import read_image
from dlcore.data.samples import collate, finish_sample, make_sample
from dlcore.data.seeding import batch_generator, sample_generator
from dlcore.errors import DataError, DlcoreError
from dlcore.interfaces.collate import Collate
from dlcore.interfaces.types import Batch, PoseTask, Record, Sample


class BatchKey(NamedTuple):
    """All that a worker needs to know about a batch.

    Attributes:
        epoch: Seeds the transforms.
        number: Position of the batch in the epoch; seeds the collate.
        indices: Positions of the records.
    """

    epoch: int
    number: int
    indices: tuple[int, ...]


class WorkerFailure(NamedTuple):
    """A user's error on its way from a worker to the main process."""

    message: str


class BatchSource(Dataset[list[Batch] | WorkerFailure]):
    """Turns a key into batches; keeps no state but the cache.

    Args:
        records: The split.
        task: The names of keypoints and individuals.
        chain: What each image goes through.
        seed: Of the run.
        cache: Of decoded images; None to decode each time.
        collate: Brings the images of a batch to one size.
        box_margin: Pixels added around the keypoints where records have no boxes.
        split_by_size: Make several batches of images that differ in size, instead of an error.
    """

    def __init__(
        self,
        records: Sequence[Record],
        task: PoseTask,
        chain: TransformChain,
        *,
        seed: int,
        cache: ImageCache | None,
        collate: Collate | None,
        box_margin: float,
        split_by_size: bool,
    ) -> None:
        self.records = records
        self.task = task
        self.chain = chain
        self.seed = seed
        self.cache = cache
        self.collate = collate
        self.box_margin = box_margin
        self.split_by_size = split_by_size

    def __getitem__(self, key: BatchKey) -> list[Batch] | WorkerFailure:
        """What a worker sends: an error of the user travels as a value, without a traceback."""
        try:
            return self.load(key)
        except DlcoreError as error:
            return WorkerFailure(str(error))

    def load(self, key: BatchKey) -> list[Batch]:
        """The batches of a key; more than one only where images that differ in size are split.

        Raises:
            DataError: If an image or a label is bad, or the images differ in size.
        """
        samples = [self._sample(key.epoch, index) for index in key.indices]
        if self.collate is not None:
            rng = batch_generator(self.seed, key.epoch, key.number)
            samples = self.collate(samples, rng)
        samples = [finish_sample(sample) for sample in samples]
        groups: dict[tuple[int, ...], list[int]] = {}
        for position, sample in enumerate(samples):
            groups.setdefault(sample.image.shape, []).append(position)
        if len(groups) > 1 and not self.split_by_size:
            raise self._sizes_differ(key, groups)
        return [
            collate(
                [samples[position] for position in positions],
                [key.indices[position] for position in positions],
                self.task,
            )
            for positions in groups.values()
        ]

    def decode(self, index: int) -> npt.NDArray[np.uint8]:
        """The image (H, W, 3) of a record, from the cache if there is one."""
        return (
            read_image(self.records[index].image) if self.cache is None else self.cache.get(index)
        )

    def _sample(self, epoch: int, index: int) -> Sample:
        record = self.records[index]
        sample = make_sample(record, self.decode(index), self.task, self.box_margin)
        try:
            return self.chain(sample, sample_generator(self.seed, epoch, index))
        except DlcoreError:
            raise
        except Exception as error:
            raise RuntimeError(f"the transforms failed on the image '{record.image}'") from error

    def _sizes_differ(self, key: BatchKey, groups: dict[tuple[int, ...], list[int]]) -> DataError:
        examples = [
            f"'{self.records[key.indices[positions[0]]].image}' is {shape[1]}x{shape[0]}"
            for shape, positions in list(groups.items())[:2]
        ]
        return DataError(
            f"the images of a batch differ in size after the transforms: {', '.join(examples)}; "
            f"set data.train.crop_sampling, data.train.resize or data.train.collate, "
            f"or train_settings.batch_size: 1"
        )
