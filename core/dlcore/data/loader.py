"""Batches of a split, epoch by epoch, from this process or from workers."""

from __future__ import annotations

import atexit
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, Sampler

from dlcore.data.cache import ImageCache
from dlcore.data.chain import TransformChain
from dlcore.data.seeding import order_generator
from dlcore.data.source import BatchKey, BatchSource, WorkerFailure
from dlcore.data.workers import (
    choose_workers,
    has_accelerator,
    start_method,
    start_worker,
    worker_error,
)
from dlcore.errors import DataError
from dlcore.interfaces.collate import Collate
from dlcore.interfaces.types import Batch, PoseTask, Record

_BATCHES_AHEAD = 2
_SIZES_TRIED = 16


class BatchLoader:
    """Makes the batches of any epoch, the same ones whoever makes them.

    What an epoch holds depends on the seed, the number of the epoch and the records only: not on
    the number of workers, nor on what was loaded before. Workers live as long as the loader, and
    while the model is busy with the end of one epoch they begin the next.

    Not shuffled, every image comes once, in the order of the records as long as they have one
    size; images of different sizes never share a batch.

    Attributes:
        batch_size: Images per batch; may be changed between epochs.
        workers: The number of worker processes; 0 if batches are made in this process.

    Args:
        records: The split.
        task: The names of keypoints and individuals.
        chain: What each image goes through.
        batch_size: Images per batch; the last batch of an epoch may have fewer.
        shuffle: Draw a new order for each epoch.
        seed: Of the run.
        workers: Processes beside this one; "auto" chooses from the cores (`choose_workers`). With 0
            batches are made when they are asked for, or, beside a GPU, ahead by a thread.
        pin_memory: Put batches into page-locked memory, if there is a GPU.
        cache: Of decoded images; None to decode each time.
        collate: Brings the images of a batch to one size.
        box_margin: Pixels added around the keypoints where records have no boxes.
        part: (number, how many) of this process among those that share the batches. Shuffled, a
            batch of `batch_size` times as many images is drawn and each process gets its share of
            it; shares are equal, so that up to one image less than there are processes is left
            out of an epoch. Not shuffled, each process gets every so manieth batch.
    """

    def __init__(
        self,
        records: Sequence[Record],
        task: PoseTask,
        chain: TransformChain,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int,
        workers: int | Literal["auto"] = 0,
        pin_memory: bool = False,
        cache: ImageCache | None = None,
        collate: Collate | None = None,
        box_margin: float = 20,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self._records = records
        self.batch_size = batch_size
        self._shuffle = shuffle
        self._seed = seed
        self._part = part
        self._pin_memory = pin_memory and torch.cuda.is_available()
        self.workers = choose_workers(workers, len(self))
        if cache is not None and self.workers > 0 and start_method() != "fork":
            cache = cache.private(self.workers)
        self._source = BatchSource(
            records,
            task,
            chain,
            seed=seed,
            cache=cache,
            collate=collate,
            box_margin=box_margin,
            split_by_size=not shuffle,
        )
        self._stream: _WorkerStream | None = None
        self._turn = 0

    @property
    def source(self) -> BatchSource | None:
        """What makes the batches in this process; None if workers do."""
        return self._source if self.workers == 0 else None

    def __len__(self) -> int:
        """Batches in an epoch; more come where images that differ in size are split."""
        count, (part, parts) = len(self._records), self._part
        if self._shuffle:
            return -(-(count // parts) // self.batch_size)
        return len(range(part, -(-count // self.batch_size), parts))

    def epoch(self, n: int, start_batch: int = 0) -> Iterator[Batch]:
        """The batches of epoch `n`, uint8 images (B, 3, H, W).

        One epoch at a time: beginning another ends the one before.

        Args:
            n: Number of the epoch; any order, any number of times.
            start_batch: Leave out so many batches, to go on in the middle of an epoch.

        Raises:
            DataError: If an image or a label is bad, or a worker has died.
        """
        self._turn += 1
        keys = self._while_current(self._keys(n)[start_batch:], self._turn)
        ahead = self.workers == 0 and has_accelerator()
        for batches in _load_ahead(self._load, keys) if ahead else map(self._load, keys):
            yield from batches

    def sample(self, index: int) -> Batch:
        """The record at `index` alone, the same each time; made in this process.

        Its transforms are drawn as for no epoch of a training.

        Raises:
            DataError: If the image or a label is bad.
        """
        [batch] = self._source.load(BatchKey(0, 0, (index,)))
        return batch

    def check_sizes(self) -> None:
        """See whether images of different sizes leave the transforms with one size.

        One image of each size that the records know is loaded, at most 16: a rare size would else
        be met in the middle of an epoch.

        Raises:
            DataError: If they do not and would have to share a batch.
        """
        first_of_size: dict[tuple[int, int], int] = {}
        for index, record in enumerate(self._records):
            if record.size is not None:
                first_of_size.setdefault(record.size, index)
        if self._shuffle and self.batch_size > 1 and len(first_of_size) > 1:
            some = tuple(first_of_size.values())[:_SIZES_TRIED]
            self._source.load(BatchKey(0, 0, some))

    def close(self) -> None:
        """Stop the workers. The loader can be used again; they start anew."""
        self._turn += 1
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _while_current(self, keys: list[BatchKey], turn: int) -> Iterator[BatchKey]:
        for key in keys:
            if turn != self._turn:
                raise RuntimeError("another epoch of this loader has begun meanwhile")
            yield key

    def _load(self, key: BatchKey) -> list[Batch]:
        if self.workers == 0:
            batches = self._source.load(key)
            return [batch.pin_memory() for batch in batches] if self._pin_memory else batches
        if self._stream is None:
            coming = _KeysFrom(self._keys, endless=self._shuffle)
            self._stream = _WorkerStream(self._source, coming, self.workers, self._pin_memory)
        try:
            answer = self._stream.take(key)
        except RuntimeError as error:
            clear = worker_error(error)
            if clear is None:
                raise
            self.close()
            raise clear from error
        if isinstance(answer, WorkerFailure):
            raise DataError(answer.message)
        return answer

    def _keys(self, epoch: int) -> list[BatchKey]:
        count, (part, parts) = len(self._records), self._part
        if self._shuffle:
            order = order_generator(self._seed, epoch).permutation(count).tolist()
            order = order[part : count - count % parts : parts]
        else:
            first_of_size: dict[Any, int] = {}
            for index, record in enumerate(self._records):
                first_of_size.setdefault(record.size, index)
            order = sorted(range(count), key=lambda i: first_of_size[self._records[i].size])
        starts = range(0, len(order), self.batch_size)
        batches = [
            BatchKey(epoch, number, tuple(order[start : start + self.batch_size]))
            for number, start in enumerate(starts)
        ]
        return batches if self._shuffle else batches[part::parts]


def _load_ahead(
    load: Callable[[BatchKey], list[Batch]], keys: Iterator[BatchKey]
) -> Iterator[list[Batch]]:
    """What `load` makes of the keys, two batches ahead of whoever takes them."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        pending: deque[Future[list[Batch]]] = deque()
        for key in keys:
            pending.append(thread.submit(load, key))
            if len(pending) > _BATCHES_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


class _KeysFrom(Sampler[BatchKey]):
    """Keys from a place in an epoch on.

    Args:
        keys_of: The keys of an epoch.
        endless: Go on with the epochs that follow.
    """

    def __init__(self, keys_of: Callable[[int], list[BatchKey]], *, endless: bool) -> None:
        self._keys_of = keys_of
        self._endless = endless
        self.start = (0, 0)

    def __iter__(self) -> Iterator[BatchKey]:
        epoch, number = self.start
        yield from self._keys_of(epoch)[number:]
        while self._endless:
            epoch += 1
            yield from self._keys_of(epoch)


class _WorkerStream:
    """Batches from workers, without a pause as long as the keys come in the expected order.

    Args:
        source: Goes to every worker.
        keys: What workers prepare unasked.
        workers: At least 1.
        pin_memory: As for `DataLoader`.
    """

    def __init__(
        self, source: BatchSource, keys: _KeysFrom, workers: int, pin_memory: bool
    ) -> None:
        self._keys = keys
        with warnings.catch_warnings():
            # It is the user who says how many workers there are.
            warnings.filterwarnings("ignore", message="This DataLoader will create")
            self._loader: DataLoader[Any] | None = DataLoader(
                source,
                sampler=keys,
                batch_size=None,
                num_workers=workers,
                persistent_workers=True,
                pin_memory=pin_memory,
                collate_fn=_as_it_is,
                worker_init_fn=start_worker,
                multiprocessing_context=start_method(),
                generator=torch.Generator(),  # leaves the global one, which the model uses, alone
            )
        self._batches: Iterator[Any] | None = None
        self._expected: BatchKey | None = None
        self._coming: Iterator[BatchKey] = iter(())
        _close_at_exit(self)

    def take(self, key: BatchKey) -> list[Batch] | WorkerFailure:
        """What a worker made of the key; cheap if the key is the next one in line."""
        if self._batches is None or key != self._expected:
            self._keys.start = (key.epoch, key.number)
            self._coming = iter(self._keys)
            next(self._coming)
            with warnings.catch_warnings():
                # Forking beside torch's idle threads is safe: workers use one thread and no GPU.
                warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork")
                assert self._loader is not None
                self._batches = iter(self._loader)
        self._expected = next(self._coming, None)
        answer: list[Batch] | WorkerFailure = next(self._batches)
        return answer

    def close(self) -> None:
        """Stop the workers and wait for them."""
        self._batches = None
        self._loader = None


_OPEN: weakref.WeakSet[_WorkerStream] = weakref.WeakSet()


def _close_at_exit(stream: _WorkerStream) -> None:
    """End the workers of a loader that nobody closed before Python waits for them in vain.

    Registered when a stream is made: after, and so run before, what torch and multiprocessing
    registered when they were imported.
    """
    if not _OPEN:
        atexit.unregister(_close_all)
        atexit.register(_close_all)
    _OPEN.add(stream)


def _close_all() -> None:
    for stream in list(_OPEN):
        stream.close()


def _as_it_is(answer: Any) -> Any:
    return answer
