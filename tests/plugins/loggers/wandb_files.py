"""Reads what W&B has written, from its file of records alone."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

_HEADER, _BLOCK = 7, 32768
_FULL, _LAST = 1, 4


def runs(folder: Path) -> list[Path]:
    """W&B's folders of a run folder, the oldest first."""
    found = (folder / "wandb").glob("offline-run-*")
    return sorted(found, key=lambda path: next(path.glob("*.wandb")).stat().st_mtime_ns)


def records(run: Path) -> list[Record]:
    """All records of a folder whose run has ended; W&B's other process may still be writing."""
    deadline = time.monotonic() + 20
    while True:
        found = list(_records(run))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        assert time.monotonic() < deadline, f"{run} has no end"
        time.sleep(0.05)


def _records(run: Path) -> Iterator[Record]:
    """What is there: chunks in blocks of 32 KiB, as in LevelDB's log format."""
    [path] = run.glob("*.wandb")
    data = path.read_bytes()
    place, parts = _HEADER, b""
    while place + _HEADER <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + _HEADER : place + _HEADER + length]
        place += _HEADER + length
        if kind in (_FULL, _LAST):
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def history(run: Path) -> list[dict[str, Any]]:
    """What was logged, step by step; nested values by dotted names."""
    return [
        {".".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item}
        for record in records(run)
        if record.WhichOneof("record_type") == "history"
    ]


def config(run: Path) -> dict[str, Any]:
    """The configuration that was shown."""
    return {
        update.key: json.loads(update.value_json)
        for record in records(run)
        if record.WhichOneof("record_type") == "config"
        for update in record.config.update
    }


def about(run: Path) -> Any:
    """The first record of the run itself: its id, name, project and tags."""
    return next(r.run for r in records(run) if r.WhichOneof("record_type") == "run")
