"""Devices: from `device:` in the config to a torch device that exists."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dlcore.errors import TrainingError


def resolve_device(requested: str, gpus: Sequence[int] | None = None) -> torch.device:
    """The device of a run.

    Args:
        requested: "auto" or a torch device string such as "cuda:1".
        gpus: `runner.gpus`; one entry chooses that GPU.

    Raises:
        TrainingError: If the device does not exist on this machine.
    """
    if gpus and len(gpus) > 1:
        raise TrainingError(
            f"runner.gpus: training on several GPUs ({list(gpus)}) is not possible yet; name one"
        )
    if gpus and requested in ("auto", "cuda"):
        requested = f"cuda:{gpus[0]}"
    if requested == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise TrainingError(
            f"device: {requested!r} is not a device; write auto, cpu, cuda, cuda:0 or mps"
        ) from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if (device.index or 0) >= count:
            available = f"this machine has {count} CUDA device(s)" if count else "no GPU is found"
            raise TrainingError(f"device: {requested!r} cannot be used: {available}; write auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise TrainingError("device: 'mps' cannot be used: no Apple GPU is found; write auto")
    return device
