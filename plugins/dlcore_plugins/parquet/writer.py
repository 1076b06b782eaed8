"""Write predictions as one long table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from dlcore.interfaces import PredictedFrame, PredictionJob, PredictionWriter

_ROWS_AT_ONCE = 100_000


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
        self._tables: list[pa.Table] = []
        self._writer: Any = None

    @property
    def files(self) -> tuple[str, ...]:
        """One Parquet file."""
        return (f"{self._job.source.stem}.parquet",)

    def write(self, frames: Sequence[PredictedFrame]) -> None:
        """The next frames."""
        self._tables += [self._table(frame) for frame in frames]
        if sum(len(table) for table in self._tables) >= _ROWS_AT_ONCE:
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
        if self._tables:
            self._open().write_table(pa.concat_tables(self._tables).combine_chunks())
        self._tables = []

    def _table(self, frame: PredictedFrame) -> pa.Table:
        poses = np.asarray(frame.prediction.poses, np.float64)
        individual, keypoint = np.nonzero(np.isfinite(poses).all(axis=2))
        values = poses[individual, keypoint]
        unique = frame.prediction.unique
        if unique is not None:
            there = np.flatnonzero(np.isfinite(unique).all(axis=1))
            individual = np.concatenate([individual, np.full(len(there), -1)])
            keypoint = np.concatenate([keypoint, there + poses.shape[1]])
            values = np.concatenate([values, unique[there]])
        label = frame.number if self._job.kind == "video" else frame.name
        whose = pa.array(individual, pa.int32(), mask=individual < 0)
        columns = [
            pa.array([label] * len(values), self._schema.field(0).type),
            pa.DictionaryArray.from_arrays(whose, self._individuals),
            pa.DictionaryArray.from_arrays(pa.array(keypoint, pa.int32()), self._keypoints),
            *(pa.array(values[:, axis].astype(np.float32)) for axis in range(3)),
        ]
        return pa.Table.from_arrays(columns, schema=self._schema)


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
