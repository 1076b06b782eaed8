"""The callback that notes when the steps of a training end."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path

import torch

from dlcore.interfaces import Callback, EpochEnd, EpochStart, StepEnd, TrainingRun


class StepTimes(Callback):
    """Notes the seconds of each epoch's steps, and how the run computes.

    What lies between two epochs, evaluating and saving, is not part of it. A GPU is waited for at
    the beginning and at the end of an epoch's steps only.

    Args:
        path: A line of JSON is added to this file for each epoch.
        steps: Steps of an epoch.
    """

    def __init__(self, *, path: str, steps: int) -> None:
        self._path = Path(path)
        self._steps = steps
        self._times: list[float] = []

    def on_epoch_start(self, run: TrainingRun, event: EpochStart) -> None:
        """Start the clock."""
        self._times = [_now(run.device)]

    def on_step_end(self, run: TrainingRun, event: StepEnd) -> None:
        """Look at the clock."""
        last = event.step == self._steps
        self._times.append(_now(run.device) if last else time.perf_counter())

    def on_epoch_end(self, run: TrainingRun, event: EpochEnd) -> None:
        """Write down what was seen; the first of several processes does."""
        if os.environ.get("RANK", "0") != "0":
            return
        times = self._times
        line = {
            "epoch": event.epoch,
            "steps": len(times) - 1,
            "seconds": times[-1] - times[0],
            "each": [b - a for a, b in itertools.pairwise(times)],
            "device": str(run.device),
            "optimizer": type(run.optimizer).__name__,
        }
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
