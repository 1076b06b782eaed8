"""What the numbers were measured on, and who else was using it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("dlcore", "torch", "torchvision", "timm", "numpy", "opencv-python-headless", "av")
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_int8")
_BUSY_FIELDS = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal of /proc/stat


def describe() -> dict[str, Any]:
    """CPU, GPU, memory and versions; nothing of it needs torch."""
    return {
        "cpu": _cpu_model(),
        "flags": _cpu_flags(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "gpu": _gpu(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_seconds() -> float | None:
    """Seconds of CPU time that all processes of the machine have used; None if nobody says."""
    try:
        first, *numbers = Path("/proc/stat").read_text().partition("\n")[0].split()
        ticks = [int(number) for number in numbers]
    except (OSError, ValueError):
        return None
    if first != "cpu" or not any(ticks):
        return None
    used = sum(ticks[field] for field in _BUSY_FIELDS if field < len(ticks))
    return used / float(os.sysconf("SC_CLK_TCK"))


def neighbours(seconds: float = 1.0) -> float | None:
    """How many cores others use while this process waits; None if nobody says."""
    before, start = busy_seconds(), time.perf_counter()
    time.sleep(seconds)
    after = busy_seconds()
    if before is None or after is None:
        return None
    return (after - before) / (time.perf_counter() - start)


def load_average() -> float | None:
    """Of the last minute; None where there is none."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _cpu_info(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _cpu_model() -> str:
    return _cpu_info("model name") or platform.processor() or platform.machine()


def _cpu_flags() -> list[str]:
    present = set(_cpu_info("flags").split())
    return [flag for flag in _FLAGS if flag in present]


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _gpu() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.strip().replace("\n", "; ") or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
