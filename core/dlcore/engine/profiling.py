"""Where the time of a training goes: a stopwatch that is in one part of the work at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.amp import GradScaler

OTHER = "other"
PARTS = (
    "decode",
    "augment",
    "wait",
    "transfer",
    "forward",
    "targets",
    "loss",
    "backward",
    "optimizer",
    "evaluation",
    "snapshots",
    OTHER,
)
"""What the time of an epoch is divided into, in the order of the work."""

_PARENTS = {
    "wait": "transfer",
    "augment": "wait",
    "decode": "augment",
    "targets": "forward",
    "loss": "forward",
}
_END = object()

T = TypeVar("T")


class Stopwatch:
    """Divides the time of one thread into parts.

    A part counts where it belongs only: making targets within an evaluation is evaluation. What is
    inside another part is taken off that one, so that all parts together are the time that passed.

    Args:
        settle: Waits until the device has done what it was given; called between parts.
        clock: Gives seconds.
    """

    def __init__(
        self, settle: Callable[[], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._settle = settle
        self._clock = clock
        self._thread = threading.get_ident()
        self._part = OTHER
        self._since = clock()
        self._seconds: dict[str, float] = {}

    def take(self) -> dict[str, float]:
        """Seconds of every part since the last time they were taken."""
        self._switch(self._part)
        seconds = {part: self._seconds.get(part, 0.0) for part in PARTS}
        self._seconds.clear()
        return seconds

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        """What runs inside is of a part."""
        before = self._part
        if before != _PARENTS.get(part, OTHER) or threading.get_ident() != self._thread:
            yield
            return
        self._switch(part)
        try:
            yield
        finally:
            self._switch(before)

    def over(self, items: Iterable[T], part: str) -> Iterator[T]:
        """The items; getting each of them is of a part."""
        iterator = iter(items)
        while True:
            with self.measure(part):
                item: Any = next(iterator, _END)
            if item is _END:
                return
            yield item

    def wrap(self, owner: object, method: str, part: str) -> None:
        """Let a method of one object be of a part from now on."""
        original = getattr(owner, method)

        @wraps(original)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.measure(part):
                return original(*args, **kwargs)

        setattr(owner, method, measured)

    def wrap_backward(self, scaler: GradScaler) -> None:
        """Let the backward pass of what a gradient scaler scales be of `backward`."""
        original = scaler.scale
        scaler.scale = lambda loss: _MeasuredLoss(original(loss), self)  # type: ignore[assignment,method-assign]

    def _switch(self, part: str) -> None:
        self._settle()
        now = self._clock()
        self._seconds[self._part] = self._seconds.get(self._part, 0.0) + now - self._since
        self._part, self._since = part, now


class _MeasuredLoss:
    """A scaled loss, of which a training step wants one thing."""

    def __init__(self, loss: Tensor, watch: Stopwatch) -> None:
        self._loss = loss
        self._watch = watch

    def backward(self) -> None:
        with self._watch.measure("backward"):
            self._loss.backward()


def waiting_for(device: torch.device) -> Callable[[], None]:
    """What waits until a device has done all it was given; nothing for a CPU."""
    if device.type == "cuda":
        return partial(torch.cuda.synchronize, device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None
