"""Write evaluations as DeepLabCut does: what was found in all labelled images, tables of errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from dlcore import DataError
from dlcore.interfaces import (
    EvaluatedSplit,
    EvaluationJob,
    EvaluationWriter,
    PredictionJob,
    Record,
)
from dlcore_plugins.deeplabcut.predictions import scorer_of
from dlcore_plugins.deeplabcut.project import ShufflePlace
from dlcore_plugins.deeplabcut.tables import KEY

COMBINED = "CombinedEvaluation-results.csv"

_FOLDER = "evaluation-results-pytorch"
_SPLITS = ("train", "test")
_METRICS = ("rmse", "rmse_pcutoff", "mAP", "mAR")
_IDENTITY = re.compile(r"id_head_.+_accuracy")
_INDEX = [
    "%Training dataset",
    "Shuffle number",
    "Training epochs",
    "Detector epochs (TD only)",
    "pcutoff",
]
_COORDINATES = ("x", "y", "likelihood")
_IMAGE_PARTS = 3  # "labeled-data", video, image


class DeepLabCutEvaluationWriter(EvaluationWriter):
    """Writes the files that DeepLabCut leaves when it evaluates a network.

    For a run in the `train` folder of a shuffle they go where DeepLabCut puts them: into
    `evaluation-results-pytorch` of the project; else into a folder of that name in the run's. They
    are a table of what was found in all labelled images (`SCORER.h5`), the metrics of both splits
    (`SCORER-results.csv`, joined with those of other runs in `CombinedEvaluation-results.csv`) and
    the mean error of each bodypart (`SCORER-keypoint-results.csv`).

    Args:
        job: What is evaluated.
        scorer: The first level of the columns, also part of the files' names. By default as
            DeepLabCut has it: from the net type, the project and the snapshot.

    Raises:
        ValueError: If not both the training and the test images are evaluated.
    """

    def __init__(self, job: EvaluationJob, *, scorer: str | None = None) -> None:
        missing = [split for split in _SPLITS if split not in job.splits]
        if missing:
            raise ValueError(
                f"needs the training and the test images, but the {' and the '.join(missing)} "
                f"images are not evaluated; evaluate all with --split all"
            )
        self._job = job
        self.scorer = scorer or _scorer(job)
        self._place = ShufflePlace.of(job.config_path)

    @property
    def folder(self) -> Path:
        """Where the files of the run go; those of all runs are one above."""
        place, config_path = self._place, self._job.config_path
        if place is None:
            return self._job.folder / _FOLDER / (self._job.folder.name or "run")
        shuffle_folder = config_path.absolute().parent.parent.name
        results = place.project / place.modelprefix / _FOLDER
        return results / f"iteration-{place.iteration}" / shuffle_folder

    def write(self, evaluated: Sequence[EvaluatedSplit]) -> list[Path]:
        """Write the files, over those of an earlier evaluation of the same snapshot."""
        splits = {split.name: split for split in evaluated if split.name in _SPLITS}
        folder = self.folder
        table, metrics = self._predictions(list(splits.values())), self._metrics(splits)
        paths = {
            name: folder / f"{self.scorer}{name}"
            for name in (".h5", "-results.csv", "-keypoint-results.csv")
        }
        combined = folder.parent / COMBINED
        try:
            folder.mkdir(parents=True, exist_ok=True)
            table.to_hdf(paths[".h5"], key=KEY, mode="w", format="fixed")
            metrics.to_csv(paths["-results.csv"])
            self._keypoints(splits).to_csv(paths["-keypoint-results.csv"])
            _joined(combined, metrics).to_csv(combined)
        except OSError as error:
            raise DataError(
                f"cannot write {str(folder)!r}: {error.strerror or error}; check the free space "
                f"and your rights there"
            ) from error
        return [*paths.values(), combined]

    def _predictions(self, splits: Sequence[EvaluatedSplit]) -> pd.DataFrame:
        """What was found in the images, sorted by image."""
        task = self._job.task
        names = [(i, k) for i in task.individuals for k in task.keypoints]
        names += [("single", k) for k in task.unique_keypoints]
        labels = [(self.scorer, *name, c) for name in names for c in _COORDINATES]
        columns = pd.MultiIndex.from_tuples(
            labels, names=["scorer", "individuals", "bodyparts", "coords"]
        )
        rows = {}
        for split in splits:
            for record, found in zip(split.records, split.predictions, strict=True):
                poses = np.full((task.num_individuals, task.num_keypoints, 3), np.nan)
                some = found.poses[: len(poses), :, :3]
                poses[: len(some)] = some
                unique = np.full((len(task.unique_keypoints), 3), np.nan)
                if found.unique is not None:
                    unique[:] = found.unique[:, :3]
                rows[_image(record)] = np.concatenate([poses.reshape(-1), unique.reshape(-1)])
        images = sorted(rows)
        values: npt.NDArray[np.float32] = np.array([rows[i] for i in images], np.float32)
        index = pd.MultiIndex.from_tuples(images)
        table: pd.DataFrame = pd.DataFrame(
            values.reshape(len(images), len(labels)), index=index, columns=columns
        )
        return table

    def _metrics(self, splits: dict[str, EvaluatedSplit]) -> pd.DataFrame:
        """One row: the metrics of both splits."""
        job, place = self._job, self._place
        if place is not None:
            fraction, shuffle = place.percent / 100, place.shuffle
        else:
            counts = [len(splits[name].records) for name in _SPLITS]
            fraction, shuffle = round(counts[0] / max(sum(counts), 1), 2), self._shuffle()
        cutoffs = [job.pcutoff] if isinstance(job.pcutoff, (int, float)) else job.pcutoff
        row: dict[str, object] = {
            _INDEX[0]: fraction,
            _INDEX[1]: shuffle,
            _INDEX[2]: _epochs(job.snapshot),
            _INDEX[3]: -1 if job.detector_snapshot is None else _epochs(job.detector_snapshot),
            _INDEX[4]: ", ".join(map(str, cutoffs)),
        }
        for name in _SPLITS:
            metrics = splits[name].metrics
            identity = [metric for metric in metrics if _IDENTITY.fullmatch(metric)]
            for metric in (*_METRICS, *identity):
                row[f"{name} {metric}"] = round(metrics.get(metric, np.nan), 2)
        table: pd.DataFrame = pd.DataFrame([row]).set_index(_INDEX)
        return table

    def _shuffle(self) -> int:
        dataset = self._job.config.get("dataset")
        shuffle = dataset.get("shuffle", 1) if isinstance(dataset, dict) else 1
        return shuffle if isinstance(shuffle, int) else 1

    def _keypoints(self, splits: dict[str, EvaluatedSplit]) -> pd.DataFrame:
        """The mean error of each bodypart in both splits."""
        task = self._job.task
        table: pd.DataFrame = pd.DataFrame(
            [splits[name].keypoint_errors for name in _SPLITS],
            index=[f"{name.capitalize()} error (px)" for name in _SPLITS],
            columns=[*task.keypoints, *task.unique_keypoints],
        )
        return table


def _scorer(job: EvaluationJob) -> str:
    return scorer_of(
        PredictionJob(
            folder=job.folder,
            source=job.folder,
            kind="images",
            task=job.task,
            config_path=job.config_path,
            config=job.config,
            snapshot=job.snapshot,
            detector_snapshot=job.detector_snapshot,
        )
    )


def _image(record: Record) -> tuple[str, ...]:
    """An image as label tables have it; where it belongs to no project, the end of its path."""
    parts = record.key or Path(record.image).parts
    return ("",) * (_IMAGE_PARTS - len(parts)) + tuple(parts[-_IMAGE_PARTS:])


def _epochs(snapshot: Path) -> int:
    match = re.search(r"(\d+)$", snapshot.stem)
    return int(match[1]) if match else -1


def _joined(path: Path, row: pd.DataFrame) -> pd.DataFrame:
    """The rows of an earlier table and this one, which takes the place of its like."""
    if not path.is_file():
        return row
    try:
        before = pd.read_csv(path, dtype={"pcutoff": str}).set_index(_INDEX)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"{str(path)!r} is not a table of evaluations: {error}; move it away"
        ) from error
    kept = before[~before.index.isin(row.index)]
    both: pd.DataFrame = pd.concat([kept, row]) if len(kept) else row
    ordered: pd.DataFrame = both.sort_index()
    return ordered
