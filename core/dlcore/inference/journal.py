"""What has been predicted so far, on disk: an interrupted run goes on from there.

A journal is only ever added to. A record that is not whole, because the process was killed while it
wrote, ends it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

try:
    import fcntl
except ImportError:  # Windows, where another process is not noticed
    fcntl = None  # type: ignore[assignment]

from dlcore.interfaces import PredictedFrame, Prediction

_HEAD = struct.Struct("<II")  # bytes that follow, their checksum
_ARRAYS = ("poses", "unique", "boxes", "box_scores", "identity")


class Journal:
    """A file of predictions, as the model gave them.

    Args:
        path: The file; made if it does not exist.

    Attributes:
        done: How many frames it holds.

    Raises:
        BlockingIOError: If another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done = 0
        self._file = path.open("r+b" if path.is_file() else "w+b")
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            end = 0
            while _read(self._file) is not None:
                self.done += 1
                end = self._file.tell()
            self._file.truncate(end)
            self._file.seek(end)
        except BaseException:
            self._file.close()
            raise

    def append(self, frames: list[PredictedFrame]) -> None:
        """Add frames; their pixels are not kept."""
        records = []
        for frame in frames:
            data = _pack(frame)
            records.append(_HEAD.pack(len(data), zlib.crc32(data)) + data)
        self._file.write(b"".join(records))
        self._file.flush()
        self.done += len(frames)

    def frames(self) -> Iterator[PredictedFrame]:
        """The frames that it holds now, in their order."""
        with self.path.open("rb") as file:
            for _ in range(self.done):
                data = _read(file)
                assert data is not None
                yield _unpack(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read(file: BinaryIO) -> bytes | None:
    """The next record, None if there is no whole one."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    data = file.read(length)
    return data if len(data) == length and zlib.crc32(data) == checksum else None


def _pack(frame: PredictedFrame) -> bytes:
    arrays = {name: getattr(frame.prediction, name) for name in _ARRAYS}
    shapes = {name: np.shape(value) for name, value in arrays.items() if value is not None}
    about = {"number": frame.number, "name": frame.name, "size": frame.size, "shapes": shapes}
    parts = [json.dumps(about).encode(), b"\0"]
    parts += [np.asarray(arrays[name], np.float64).tobytes() for name in shapes]
    return b"".join(parts)


def _unpack(data: bytes) -> PredictedFrame:
    text, _, rest = data.partition(b"\0")
    about = json.loads(text)
    arrays = {}
    for name, shape in about["shapes"].items():
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(rest, np.float64, count).reshape(shape).copy()
        rest = rest[count * 8 :]
    size = None if about["size"] is None else tuple(about["size"])
    return PredictedFrame(about["number"], Prediction(**arrays), about["name"], size)
