"""Write predictions as one long table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import parquet

from dlcore.interfaces import PredictedFrame, PredictionJob, PredictionWriter

_ROWS_AT_ONCE = 50_000
_FRAMES_AT_ONCE = 5_000


class ParquetWriter(PredictionWriter):
    """Writes a row for each keypoint that was found.

    The columns are `frame` (or `image`, the path, for images), `individual` (null for unique
    keypoints), `keypoint`, `x`, `y` and `score`. What was not found has no row. The file's metadata
    has the key `dlcore`, a JSON text with the model, the names and the frames per second.

    Args:
        job: What is predicted.
        compression: Of the columns.
    """

    def __init__(self, job: PredictionJob, *, compression: str = "zstd") -> None:
        try:
            pa.Codec(compression)
        except (ValueError, pa.ArrowException) as error:
            raise ValueError(f"compression {compression!r} is not one of pyarrow's") from error
        self.compression = compression
        self._job = job
        name = ("frame", pa.int64()) if job.kind == "video" else ("image", pa.string())
        texts = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema(
            [
                name,
                ("individual", texts),
                ("keypoint", texts),
                *((column, pa.float32()) for column in ("x", "y", "score")),
            ],
            metadata={"dlcore": json.dumps(_about(job))},
        )
        self._individuals = pa.array(job.task.individuals, pa.string())
        self._keypoints = pa.array([*job.task.keypoints, *job.task.unique_keypoints], pa.string())
        self._labels: list[int | str] = []
        self._found: list[npt.NDArray[np.float64]] = []
        self._num_rows = 0
        self._writer: Any = None

    @property
    def files(self) -> tuple[str, ...]:
        """One Parquet file."""
        return (f"{self._job.source.stem}.parquet",)

    def write(self, frames: Sequence[PredictedFrame]) -> None:
        """The next frames."""
        for frame in frames:
            self._labels.append(frame.number if self._job.kind == "video" else frame.name)
            self._found.append(_rows(frame))
            self._num_rows += len(self._found[-1])
            if self._num_rows >= _ROWS_AT_ONCE or len(self._found) >= _FRAMES_AT_ONCE:
                self._flush()

    def close(self) -> None:
        """Write the last rows and the end of the file."""
        self._flush()
        self._open().close()

    def abandon(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> Any:
        if self._writer is None:
            self._writer = parquet.ParquetWriter(
                str(self._job.folder / self.files[0]), self._schema, compression=self.compression
            )
        return self._writer

    def _flush(self) -> None:
        if self._found:
            self._open().write_table(self._table())
        self._labels, self._found, self._num_rows = [], [], 0

    def _table(self) -> pa.Table:
        counts = [len(rows) for rows in self._found]
        rows = np.concatenate(self._found)
        labels = pa.array(self._labels, self._schema.field(0).type)
        individual, keypoint = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32)
        whose = pa.array(individual, pa.int32(), mask=individual < 0)
        columns = [
            labels.take(pa.array(np.repeat(np.arange(len(counts)), counts))),
            pa.DictionaryArray.from_arrays(whose, self._individuals),
            pa.DictionaryArray.from_arrays(pa.array(keypoint), self._keypoints),
            *(pa.array(rows[:, axis].astype(np.float32)) for axis in (2, 3, 4)),
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)


def _rows(frame: PredictedFrame) -> npt.NDArray[np.float64]:
    """(found, 5): individual, -1 for unique keypoints; keypoint; x, y, score."""
    poses = np.asarray(frame.prediction.poses, np.float64)
    individual, keypoint = np.nonzero(np.isfinite(poses).all(axis=2))
    rows = np.column_stack([individual, keypoint, poses[individual, keypoint]])
    unique = frame.prediction.unique
    if unique is None:
        return rows
    there = np.flatnonzero(np.isfinite(unique).all(axis=1))
    more = np.column_stack([np.full(len(there), -1), there + poses.shape[1], unique[there]])
    return np.concatenate([rows, more])


def _about(job: PredictionJob) -> dict[str, Any]:
    task = job.task
    return {
        "source": str(job.source),
        "snapshot": job.snapshot.name,
        "net_type": job.config.get("net_type"),
        "tracker": job.tracker,
        "frames_per_second": job.frames_per_second,
        "size": job.size,
        "keypoints": task.keypoints,
        "unique_keypoints": task.unique_keypoints,
        "individuals": task.individuals,
    }
