"""Keep the memory that tensors leave behind on a CPU, instead of asking for it again each step."""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # names of mallopt's parameters, as malloc.h numbers them
_NEVER = -1


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for its next use.

    The C library of Linux gives large blocks back to the system as soon as they are freed. A
    training frees its activations in every step, and the system has to find, clear and map the
    same pages again in the next one.

    Returns:
        Whether the C library can be told so: that of Linux can, others are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
