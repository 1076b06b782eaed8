"""Devices: from `device:` in the config to a torch device that exists."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from dlcore.config.schema import RunnerSection
from dlcore.errors import TrainingError

_DEVICE = re.compile(r"auto|cpu|(?:cuda|mps)(?::\d+)?")


def resolve_device(
    requested: str, gpus: Sequence[int] | None = None, local_rank: int = 0
) -> torch.device:
    """The device of a run.

    Args:
        requested: "auto", "cpu", "cuda", "mps", or one of the last two with a number ("cuda:1").
        gpus: `runner.gpus`, which "auto" and "cuda" stand for where CUDA is used: the first
            process of a machine takes the first, and so on. Other devices leave it aside.
        local_rank: Number of this process on its machine.

    Raises:
        TrainingError: If the device does not exist on this machine.
    """
    if not _DEVICE.fullmatch(requested):
        raise TrainingError(
            f"device: {requested!r} is not a device; write auto, cpu, cuda, cuda:0 or mps"
        )
    chosen = requested
    if chosen == "auto":
        others = "mps" if torch.backends.mps.is_available() else "cpu"
        chosen = "cuda" if torch.cuda.is_available() else others
    if chosen == "cuda":
        chosen = f"cuda:{_gpu_of(gpus, local_rank)}"
    device = torch.device(chosen)
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            available = f"this machine has {count} CUDA device(s)" if count else "no GPU is found"
            source, remedy = f"device: {requested!r}", "write auto"
            if count and gpus and requested in ("auto", "cuda"):
                source, remedy = f"runner.gpus: {list(gpus)}", "write another number or null"
            raise TrainingError(f"{source} cannot be used: {available}; {remedy}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise TrainingError(
            f"device: {requested!r} cannot be used: no Apple GPU is found; write auto"
        )
    return device


def number_of_processes(requested: str, runner: RunnerSection) -> int:
    """How many processes `runner.gpus` asks for: one for each GPU, where CUDA is used."""
    if not runner.gpus or len(runner.gpus) == 1 or requested not in ("auto", "cuda"):
        return 1
    return len(runner.gpus) if torch.cuda.is_available() else 1


def _gpu_of(gpus: Sequence[int] | None, local_rank: int) -> int:
    if gpus:
        return gpus[local_rank % len(gpus)]
    if local_rank:
        return local_rank
    return torch.cuda.current_device() if torch.cuda.is_available() else 0
