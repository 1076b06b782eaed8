"""`train_settings.batch_size: auto`: as many images as fit into memory and make a step pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

from dlcore.data.cache import free_memory
from dlcore.engine.dry_run import OutOfMemoryError, try_step, untouched
from dlcore.interfaces import Batch, Runner

FIRST = 4
"""The batch size that is tried first; each further one is twice the last."""

LARGEST = 64
"""Larger ones are not tried: an epoch should not be a handful of steps."""

STEPS = 8
"""An epoch has at least so many steps."""

GAIN = 1.1
"""A batch of twice the size must give at least so many times the images per second."""

SHARE = 0.7
"""Of the free memory, for what a step keeps for its backward pass."""


class BatchSize(NamedTuple):
    """A choice.

    Attributes:
        images: In a batch.
        reason: Why so many, in words.
    """

    images: int
    reason: str


def choose_batch_size(runner: Runner, batch: Batch, num_samples: int) -> BatchSize:
    """Try larger and larger batches.

    What a step needs is counted, not tried out, for a process that takes too much memory of a CPU
    is killed without a word. The learning rate is left alone.

    Args:
        runner: As the training will use it, on its device.
        batch: Some images on the device, which are repeated to make up larger batches.
        num_samples: Of an epoch, for this process.

    Raises:
        OutOfMemoryError: If not even the smallest batch fits.
    """
    device = batch.images.device
    sizes = _sizes(num_samples)
    free = _free(device)
    with untouched(runner.model, device):
        kept = _bytes_kept(runner, repeated(batch, sizes[0])) / sizes[0]
        speeds: dict[int, float] = {}
        for size in sizes:
            needed = kept * size
            if speeds and free is not None and needed > SHARE * free:
                what = f"{size} would need {needed / 2**30:.1f} GiB of {free / 2**30:.1f} GiB"
                return _chosen(speeds, what)
            try:
                speeds[size] = size / _seconds(runner, repeated(batch, size))
            except OutOfMemoryError:
                if not speeds:
                    raise
                return _chosen(speeds, f"{size} do not fit into memory")
            finally:
                runner.model.zero_grad(set_to_none=True)
            if size > sizes[0] and speeds[size] < GAIN * speeds[size // 2]:
                del speeds[size]
                return _chosen(speeds, f"{size} are hardly faster")
    if sizes[-1] == LARGEST:
        return _chosen(speeds, "more are not tried")
    return _chosen(speeds, f"with more, an epoch would have fewer than {STEPS} steps")


def repeated(batch: Batch, size: int) -> Batch:
    """The samples of a batch, over and over, until there are `size`."""
    rows = torch.arange(size, device=batch.images.device) % len(batch.images)

    def taken(tensor: Tensor) -> Tensor:
        return tensor[rows.to(tensor.device)]

    labels = {f.name: taken(getattr(batch.labels, f.name)) for f in fields(batch.labels)}
    return Batch(
        taken(batch.images).contiguous(memory_format=_layout(batch.images)),
        replace(batch.labels, **labels),
        taken(batch.to_network),
        taken(batch.indices),
        None if batch.conditions is None else taken(batch.conditions),
    )


def _layout(images: Tensor) -> torch.memory_format:
    last = images.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _sizes(num_samples: int) -> list[int]:
    """What to try, smallest first."""
    most = max(num_samples // STEPS, 1)
    powers = [2**power for power in range(LARGEST.bit_length())]
    fitting = [size for size in powers if size <= most]
    return [size for size in fitting if size >= FIRST] or fitting[-1:]


def _chosen(speeds: dict[int, float], reason: str) -> BatchSize:
    tried = ", ".join(f"{size}: {speed:.1f}" for size, speed in speeds.items())
    return BatchSize(max(speeds), f"images/s by size {tried}; {reason}")


def _seconds(runner: Runner, batch: Batch) -> float:
    try_step(runner, batch)  # to warm up
    return try_step(runner, batch)


def _bytes_kept(runner: Runner, batch: Batch) -> int:
    """What a forward pass keeps for the backward pass, the weights left out."""
    own = {weight.untyped_storage().data_ptr() for weight in runner.model.parameters()}
    with _saved() as kept:
        runner.model.train()
        runner.losses(batch)
    return sum(size for place, size in kept.items() if place not in own)


@contextmanager
def _saved() -> Iterator[dict[int, int]]:
    """Bytes of what is saved for backward passes meanwhile, by where they lie."""
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no place is used twice

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in kept:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor.detach())
        return tensor

    unpack: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        yield kept


def _free(device: torch.device) -> int | None:
    """Bytes of memory that are free where the device computes; None where nobody says."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return free_memory()
