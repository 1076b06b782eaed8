"""Write predictions as DeepLabCut does: tables with a row for each frame or image."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tables import HDF5ExtError

from dlcore import DataError
from dlcore.interfaces import PredictedFrame, PredictionJob, PredictionWriter
from dlcore_plugins.deeplabcut.project import Project, ShufflePlace

RAW_KEY = "df_with_missing"
TRACKS_KEY = "tracks"
IMAGES_KEY = "predictions"
_TRACKS = "_el"
_UNIQUE = "single"
_COORDINATES = ("x", "y", "likelihood")
_FRAMES_AT_ONCE = 1000
_CACHE_BYTES = 1024**2  # chunks are written once and never read again
_ROOM = 4 * 1024**2  # bytes that are left free for what HDF5 adds to the rows


class DeepLabCutWriter(PredictionWriter):
    """Writes the .h5 and .csv that DeepLabCut writes when it analyses a video, or images.

    Rows are frames, columns the levels scorer, individuals (not for one animal), bodyparts, coords.
    For several animals whose identity is kept, by a tracker or by the model, the file ends with
    `_el` and holds tracks, as after DeepLabCut's tracking. What was not found is NaN. Beside the
    table of a video goes `_meta.pickle`, which DeepLabCut's other tools ask for. Predictions of a
    video with and without tracks share it, as in DeepLabCut.

    Args:
        job: What is predicted.
        csv: Whether to write the .csv too.
        scorer: The first level of the columns, also part of the file's name. By default as
            DeepLabCut has it: from the net type, the project and the snapshot.
    """

    def __init__(self, job: PredictionJob, *, csv: bool = True, scorer: str | None = None) -> None:
        self.csv = csv
        self.scorer = scorer or scorer_of(job)
        self._job = job
        task = job.task
        self._is_video = job.kind == "video"
        one = task.num_individuals == 1 and not task.unique_keypoints
        self._with_individuals = not (one and self._is_video)
        self._tracked = not one and (job.tracker is not None or task.with_identity)
        self._type: Any = np.float64 if self._is_video and self._tracked else np.float32
        self._numbers: list[int] = []
        self._names: list[str] = []
        self._rows: list[npt.NDArray[np.float64]] = []
        self._written = 0
        self._start = time.time()
        self._store: pd.HDFStore | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The table, as .h5 and .csv, and `_meta.pickle` of a video."""
        tables = [f"{self._stem}.h5", *([f"{self._stem}.csv"] if self.csv else [])]
        return (*tables, self._meta_name) if self._is_video else tuple(tables)

    @property
    def shared_files(self) -> tuple[str, ...]:
        """`_meta.pickle`, which says the same of a table with tracks and of one without."""
        return (self._meta_name,) if self._is_video else ()

    @property
    def _stem(self) -> str:
        if not self._is_video:
            return f"image_predictions_{self.scorer}"
        return f"{self._job.source.stem}{self.scorer}{_TRACKS if self._tracked else ''}"

    @property
    def _meta_name(self) -> str:
        return f"{self._job.source.stem}{self.scorer}_meta.pickle"

    def write(self, frames: Sequence[PredictedFrame]) -> None:
        """The next frames."""
        for frame in frames:
            self._numbers.append(frame.number)
            self._names.append(frame.name)
            self._rows.append(self._row(frame))
        # The table of images has texts for an index and is written at once, as DeepLabCut's is.
        if self._is_video and len(self._rows) >= _FRAMES_AT_ONCE:
            self._flush()

    def close(self) -> None:
        """Write the last rows."""
        if self._is_video:
            self._flush()
            with _hdf5(self._job.folder):
                self._open().close()
            content = {"data": self._meta()}
            with (self._job.folder / self._meta_name).open("wb") as file:
                pickle.dump(content, file)
            return
        table = self._table()
        path = self._job.folder / f"{self._stem}.h5"
        with _hdf5(self._job.folder, table.to_numpy().nbytes):
            table.to_hdf(path, key=IMAGES_KEY, mode="w", format="fixed")
        if self.csv:
            table.to_csv(path.with_suffix(".csv"))

    def abandon(self) -> None:
        """Close the table."""
        if self._store is not None:
            with suppress(HDF5ExtError):
                self._store.close()

    def _open(self) -> pd.HDFStore:
        if self._store is None:
            path = str(self._job.folder / f"{self._stem}.h5")
            self._store = pd.HDFStore(path, mode="w", chunk_cache_size=_CACHE_BYTES)
        return self._store

    def _flush(self) -> None:
        table = self._table()
        with _hdf5(self._job.folder, table.to_numpy().nbytes):
            store = self._open()
            if len(table):
                store.append(TRACKS_KEY if self._tracked else RAW_KEY, table, format="table")
        if self.csv and (len(table) or not self._written):
            path = self._job.folder / f"{self._stem}.csv"
            table.to_csv(path, mode="a", header=not self._written)
        self._written += len(table)
        self._numbers, self._names, self._rows = [], [], []

    def _row(self, frame: PredictedFrame) -> npt.NDArray[np.float64]:
        found, task = frame.prediction, self._job.task
        parts = [np.asarray(found.poses, np.float64).reshape(-1)]
        if task.unique_keypoints:
            unique = found.unique
            missing = np.full((len(task.unique_keypoints), 3), np.nan)
            parts.append((missing if unique is None else np.asarray(unique)).reshape(-1))
        row = np.concatenate(parts).reshape(-1, 3)
        row[~np.isfinite(row[:, :2]).all(axis=1), :2] = np.nan
        return row.reshape(-1)

    def _table(self) -> pd.DataFrame:
        columns = self._columns()
        values = np.array(self._rows, self._type).reshape(len(self._rows), len(columns))
        index: Any = self._numbers if self._is_video else self._names
        kind = np.int64 if self._is_video else object
        table: pd.DataFrame = pd.DataFrame(
            values, index=pd.Index(index, dtype=kind), columns=columns
        )
        return table

    def _columns(self) -> pd.MultiIndex:
        task = self._job.task
        labels = [(i, k, c) for i in task.individuals for k in task.keypoints for c in _COORDINATES]
        labels += [(_UNIQUE, k, c) for k in task.unique_keypoints for c in _COORDINATES]
        names = ["scorer", "individuals", "bodyparts", "coords"]
        tuples: list[tuple[str, ...]] = [(self.scorer, *label) for label in labels]
        if not self._with_individuals:
            names.remove("individuals")
            tuples = [(self.scorer, *label[1:]) for label in labels]
        columns: pd.MultiIndex = pd.MultiIndex.from_tuples(tuples, names=names)
        return columns

    def _meta(self) -> dict[str, Any]:
        """What DeepLabCut notes about an analysis, in plain types."""
        job, task = self._job, self._job.task
        place = ShufflePlace.of(job.config_path)
        width, height = job.size or (0, 0)
        stop = time.time()
        return {
            "start": self._start,
            "stop": stop,
            "run_duration": stop - self._start,
            "Scorer": self.scorer,
            "pytorch-config": dict(job.config),
            "fps": job.frames_per_second,
            "batch_size": job.batch_size,
            "frame_dimensions": (width, height),
            "nframes": job.num_source_frames or self._written,
            "iteration (active-learning)": 0 if place is None else place.iteration,
            "training set fraction": None if place is None else place.percent / 100,
            "cropping": False,
            "cropping_parameters": [0, width, 0, height],
            "individuals": list(task.individuals),
            "bodyparts": list(task.keypoints),
            "unique_bodyparts": list(task.unique_keypoints),
        }


@contextmanager
def _hdf5(folder: Path, size: int = 0) -> Iterator[None]:
    """Let HDF5 write so many bytes, or say why it cannot as other files do.

    Closing a file that could not be written brings HDF5 down with the process, so that a full disk
    must be noticed before.
    """
    if shutil.disk_usage(folder).free < size + _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        yield
    except HDF5ExtError as error:
        raise OSError(errno.EIO, str(error).strip().splitlines()[-1]) from error


def scorer_of(job: PredictionJob) -> str:
    """The name that DeepLabCut gives the predictions of a model.

    For example `DLC_Resnet50_mouseNov22shuffle1_snapshot_best-10`. A run that belongs to no
    project has the name of its folder there.
    """
    net_type = str(job.config.get("net_type") or "dlcore")
    net = "".join(part.capitalize() for part in net_type.split("_"))
    parts = ["DLC", net, _training(job.config_path)]
    if job.detector_snapshot is not None:
        parts.append(f"detector_{_snapshot_id(job.detector_snapshot)}")
    return "_".join([*parts, f"snapshot_{_snapshot_id(job.snapshot)}"])


def _training(config_path: Path) -> str:
    place = ShufflePlace.of(config_path)
    if place is not None:
        try:
            project = Project.read(place.project)
        except DataError:
            pass  # the model was moved away from its project
        else:
            return f"{project.task}{project.date}shuffle{place.shuffle}"
    return re.sub(r"[^\w-]+", "-", config_path.parent.name) or "run"


def _snapshot_id(path: Path) -> str:
    match = re.search(r"-(best-)?(\d+)$", path.stem)
    return f"{match[1] or ''}{int(match[2])}" if match else path.stem
