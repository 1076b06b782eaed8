"""How many worker processes make batches, how they start, and what is said when one dies."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType
from typing import Literal

import cv2
import torch

from dlcore.errors import DataError

_MOST = 8
_LOG = logging.getLogger(__name__)


def start_method() -> str:
    """How worker processes start: forked, sharing memory, where that is safe."""
    return "fork" if sys.platform == "linux" else "spawn"


def choose_workers(wanted: int | Literal["auto"], batches: int) -> int:
    """The number of workers for a split of so many batches.

    "auto" takes all cores but one, at most 8, beside a GPU. Without a GPU it takes none: the
    network needs every core, and a second process slows it down by more than it brings.
    """
    if wanted != "auto":
        return max(0, min(wanted, batches))
    cores, accelerated = count_cores(), has_accelerator()
    chosen = max(0, min(cores - 1 if accelerated else 0, _MOST, batches))
    beside = "beside a GPU" if accelerated else "without a GPU"
    _LOG.info("dataloader_workers: auto chose %d (%d cores, %s)", chosen, cores, beside)
    return chosen


def count_cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_accelerator() -> bool:
    """Whether there is a GPU that torch can use."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def start_worker(_: int) -> None:
    """Called in each worker first: one thread each, and signals are for the main process.

    Ctrl-C and a scheduler's SIGTERM reach the whole process group. The main process stops after
    its step, saves, and then ends the workers, without a signal; they end by themselves if it dies.
    """
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ignore_once)


def _ignore_once(number: int, frame: FrameType | None) -> None:
    """A second SIGTERM is meant for this process, and ends it."""
    signal.signal(number, signal.SIG_DFL)


def worker_error(error: RuntimeError) -> DataError | None:
    """What to tell the user when torch reports a dead worker; None for any other error.

    torch raises it wherever the main process happens to be, so that it can reach the training
    loop outside of `BatchLoader`.
    """
    if not str(error).startswith("DataLoader worker"):
        return None
    reason = str(error).splitlines()[0].rstrip(". ")
    return DataError(
        f"a process that prepares images has died: {reason}; most often memory ran out: "
        f"set train_settings.dataloader_workers or train_settings.cache_gb to a smaller number"
    )
