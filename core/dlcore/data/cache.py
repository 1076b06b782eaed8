"""Decoded images in memory, within a budget, shared between worker processes."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.data.images import image_size, read_image
from dlcore.errors import DataError
from dlcore.interfaces.types import Record

_SHARE_OF_FREE_MEMORY = 0.25
_WHEN_UNKNOWN = 2**30


def auto_budget() -> int:
    """Bytes for "auto": a quarter of the memory that is free now, in the container if in one."""
    free = free_memory()
    return _WHEN_UNKNOWN if free is None else int(_SHARE_OF_FREE_MEMORY * free)


def free_memory() -> int | None:
    """Bytes that are free now, in the container if in one; None where the system does not say."""
    free = [value for value in (_free_in_system(), _free_in_container()) if value is not None]
    return min(free, default=None)


class ImageCache:
    """Decodes the images of records and keeps as many as fit the budget, each once.

    Room is given to the records in their order until the budget is full; the other images are
    decoded each time. The memory is an anonymous shared mapping: what one forked worker decodes,
    all of them have. Where workers are spawned instead, each has a cache of its own with its part
    of the budget (`private`).

    Args:
        records: Whose images are asked for, by position.
        budget_bytes: The most that decoded images may take; 0 for none.

    Raises:
        DataError: If an image whose size is not on record is missing or damaged.
    """

    def __init__(self, records: Sequence[Record], budget_bytes: int) -> None:
        self._records = records
        self._budget = budget_bytes
        self._allocate()

    def __len__(self) -> int:
        """How many images have room."""
        return int((self._offsets >= 0).sum())

    @property
    def filled(self) -> int:
        """How many images are there."""
        return int(self._flags.sum())

    def get(self, index: int) -> npt.NDArray[np.uint8]:
        """The image of a record, (H, W, 3) uint8 RGB, perhaps shared and then read-only.

        Raises:
            DataError: If the image is missing or damaged.
        """
        index = self._first[index]
        offset = self._offsets[index]
        if offset < 0:
            return read_image(self._records[index].image)
        room = self._room(index)
        if not self._flags[index]:
            image = read_image(self._records[index].image)
            if image.shape != room.shape:  # the record is wrong about the size
                return image
            room[...] = image
            self._flags[index] = 1  # last, so that nobody sees half an image
        room.flags.writeable = False
        return room

    def private(self, processes: int) -> ImageCache:
        """An empty cache for one of several processes that cannot share memory."""
        return ImageCache(self._records, self._budget // max(1, processes))

    def __getstate__(self) -> dict[str, Any]:
        return {"_records": self._records, "_budget": self._budget}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._allocate()

    def _allocate(self) -> None:
        self._sizes = np.zeros((len(self._records), 2), np.int64)
        self._offsets = np.full(len(self._records), -1, np.int64)
        places: dict[Path, int] = {}
        self._first = [places.setdefault(r.image, i) for i, r in enumerate(self._records)]
        end = 0
        for index, record in enumerate(self._records):
            if end >= self._budget:
                break
            if self._first[index] != index:
                continue
            width, height = record.size or image_size(record.image)
            if end + 3 * width * height > self._budget:
                break
            self._sizes[index], self._offsets[index] = (width, height), end
            end += 3 * width * height
        try:
            memory = mmap.mmap(-1, end + len(self._records) + 1)
        except OSError as error:
            raise DataError(
                f"the system refuses {end} bytes for decoded images; "
                f"set train_settings.cache_gb to a smaller number, or to 0"
            ) from error
        self._bytes = np.frombuffer(memory, np.uint8, count=end)
        self._flags = np.frombuffer(memory, np.uint8, count=len(self._records), offset=end)

    def _room(self, index: int) -> npt.NDArray[np.uint8]:
        (width, height), start = self._sizes[index].tolist(), int(self._offsets[index])
        return self._bytes[start : start + 3 * width * height].reshape(height, width, 3)


def _free_in_system(statistics: Path = Path("/proc/meminfo")) -> int | None:
    try:
        for line in statistics.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):  # no such file, no such name, no such function
        return None


def _free_in_container(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int | None:
    """What control groups (Linux containers, batch systems) leave, None without a limit."""
    try:
        lines = membership.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    free = []
    for line in lines:
        if line.startswith("0::/"):
            group = root / line.removeprefix("0::/")
            folders = [group, *(parent for parent in group.parents if root in parent.parents)]
            free = [left for left in map(_left_in_group, {root, *folders}) if left is not None]
    return min(free, default=None)


def _left_in_group(folder: Path) -> int | None:
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii").split()
        reclaimable = int(statistics[statistics.index("inactive_file") + 1])
        return None if limit == "max" else max(0, int(limit) - used + reclaimable)
    except (OSError, ValueError):
        return None
