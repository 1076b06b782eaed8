"""Find out before the first epoch what would fail later: one batch, one backward pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from dlcore.engine.precision import Precision
from dlcore.errors import TrainingError
from dlcore.interfaces import Batch, Runner

QUICK = 1.0
"""Steps that take fewer seconds than this are timed twice."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@contextmanager
def untouched(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Run something and leave buffers, gradients, mode and random numbers as they were."""
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    was_training = model.training
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            model.zero_grad(set_to_none=True)
            with torch.no_grad():
                for name, buffer in model.named_buffers():
                    buffer.copy_(buffers[name])
            model.train(was_training)


def try_step(runner: Runner, batch: Batch) -> float:
    """One forward and one backward pass in training mode; gives the seconds they took.

    Raises:
        OutOfMemoryError: If memory runs out.
        TrainingError: If no gradient comes.
    """
    runner.model.train()
    start = time.perf_counter()
    with memory_for(len(batch.images)):
        runner.losses(batch)["total_loss"].backward()
        if batch.images.is_cuda:
            torch.cuda.synchronize(batch.images.device)
    seconds = time.perf_counter() - start
    if all(parameter.grad is None for parameter in runner.model.parameters()):
        raise TrainingError("no parameter gets a gradient; are all weights frozen?")
    return seconds


def timer(make_runner: Callable[[Precision], Runner], batch: Batch) -> Callable[[Precision], float]:
    """A function that times a step in a precision, after one to warm up."""

    def seconds_per_step(precision: Precision) -> float:
        runner = make_runner(precision)
        with untouched(runner.model, batch.images.device):
            try_step(runner, batch)
            seconds = try_step(runner, batch)
            return seconds if seconds > QUICK else min(seconds, try_step(runner, batch))

    return seconds_per_step


class OutOfMemoryError(TrainingError):
    """There is not enough memory for a batch.

    Attributes:
        batch_size: Images in it.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        super().__init__(f"there is not enough memory for a batch of {batch_size}")

    def advice(self, key: str) -> str:
        """What to do about it, where `key` is the batch size of the stage."""
        if self.batch_size > 1:
            return f"try --set {key}={self.batch_size // 2}"
        return "use smaller crops or a smaller network"


@contextmanager
def memory_for(batch_size: int) -> Iterator[None]:
    """Tell running out of memory from other errors, whatever the device's allocator calls it.

    Raises:
        OutOfMemoryError: Instead.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's allocator has none
        if not any(words in str(error).lower() for words in _OUT_OF_MEMORY):
            raise
        raise OutOfMemoryError(batch_size) from error
