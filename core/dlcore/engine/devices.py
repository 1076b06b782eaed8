"""Devices: from `device:` in the config to a torch device that exists."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch

from dlcore.engine.run_folder import LOGGER
from dlcore.errors import TrainingError

_DEVICE = re.compile(r"auto|cpu|(?:cuda|mps)(?::\d+)?")


def resolve_device(requested: str, gpus: Sequence[int] | None = None) -> torch.device:
    """The device of a run.

    Args:
        requested: "auto", "cpu", "cuda", "mps", or one of the last two with a number ("cuda:1").
        gpus: `runner.gpus`; the first one is the GPU that "auto" and "cuda" stand for where CUDA is
            used. Other devices leave it aside.

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
        chosen = f"cuda:{_first_gpu(gpus)}"
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


def _first_gpu(gpus: Sequence[int] | None) -> int:
    if not gpus:
        return torch.cuda.current_device() if torch.cuda.is_available() else 0
    if len(gpus) > 1:
        LOGGER.warning(
            "runner.gpus: training on several GPUs (%s) is not possible yet; GPU %d is used",
            ", ".join(map(str, gpus)),
            gpus[0],
        )
    return gpus[0]
