"""Arithmetic: which precision a run computes in. Chosen once, never asked about in the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch

from dlcore.engine.cpu_norms import FastNorms
from dlcore.errors import TrainingError

WORTHWHILE = 1.15
"""bf16 is taken on a CPU when it is at least this many times as fast as fp32."""


@dataclass(frozen=True)
class Precision:
    """A way to compute.

    Attributes:
        name: "fp32", "bf16" or "fp16".
        device_type: "cpu", "cuda" or "mps".
    """

    name: str
    device_type: str

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """The context in which a model's forward pass runs."""
        dtype = torch.float16 if self.name == "fp16" else torch.bfloat16
        lower = torch.autocast(self.device_type, dtype=dtype, enabled=self.name != "fp32")
        norms = FastNorms() if self.device_type == "cpu" else nullcontext()
        with lower, norms:
            yield

    def make_scaler(self) -> torch.amp.GradScaler:
        """A gradient scaler; it does nothing but for fp16."""
        return torch.amp.GradScaler(self.device_type, enabled=self.name == "fp16")


def choose_precision(
    requested: str, device: torch.device, seconds_per_step: Callable[[Precision], float]
) -> tuple[Precision, str]:
    """Turn `runner.precision` into a way to compute.

    Args:
        requested: "auto", "fp32", "bf16" or "fp16".
        device: Where the run computes.
        seconds_per_step: Times one training step. Called only where it is not plain which
            precision is faster.

    Returns:
        The precision, and the reason in words.

    Raises:
        TrainingError: If the device cannot do what is asked for.
    """
    if requested != "auto":
        if requested == "fp16" and device.type == "cpu":
            raise TrainingError(
                "runner.precision: 'fp16' needs a GPU; on a CPU write bf16, fp32 or auto"
            )
        return Precision(requested, device.type), "as configured"
    fp32 = Precision("fp32", device.type)
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", "cuda"), "the GPU computes bf16"
        return Precision("fp16", "cuda"), "the GPU has no bf16; fp16 with loss scaling"
    if device.type != "cpu":
        return fp32, f"mixed precision is not used on {device.type}"
    if not _cpu_computes_bf16():
        return fp32, "the CPU has no bf16 instructions"
    bf16 = Precision("bf16", "cpu")
    seconds = {precision: seconds_per_step(precision) for precision in (fp32, bf16)}
    timing = f"a step takes {seconds[fp32]:.2f} s in fp32 and {seconds[bf16]:.2f} s in bf16"
    faster = seconds[bf16] * WORTHWHILE <= seconds[fp32]
    return (bf16 if faster else fp32), timing


def precision_of(requested: str, device: torch.device) -> Precision:
    """The way to compute predictions; with "auto" the fastest that the device has in hardware."""
    if requested != "auto":
        return Precision(requested, device.type)
    if device.type == "cuda":
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Precision("bf16" if bf16 else "fp16", "cuda")
    bf16 = device.type == "cpu" and _cpu_computes_bf16()
    return Precision("bf16" if bf16 else "fp32", device.type)


def _cpu_computes_bf16() -> bool:
    """Whether the CPU multiplies bf16 in hardware (AMX or AVX512-BF16), not by emulation."""
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)
