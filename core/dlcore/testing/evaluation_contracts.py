"""The contract of evaluation writers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlcore.interfaces import (
    EvaluatedSplit,
    EvaluationJob,
    EvaluationWriter,
    PoseTask,
    Prediction,
    Record,
)
from dlcore.testing.assertions import expect, expect_instance

_SIZE = (96, 64)  # width, height


def check_evaluation_writer(
    make: Callable[[EvaluationJob], EvaluationWriter], folder: Path, task: PoseTask
) -> None:
    """Check that a writer leaves the files that it names, also when it is asked again.

    Args:
        make: Makes the writer for a job.
        folder: An empty folder.
        task: What the predictions are of.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    job = fake_evaluation_job(folder, task)
    before = _files(folder)
    writer = make(job)
    what = type(writer).__name__
    expect_instance(writer, EvaluationWriter, what)
    expect(_files(folder) == before, f"{what}: its constructor writes; wait for `write`")
    evaluated = [
        fake_evaluated_split(name, task, seed) for seed, name in enumerate(job.splits, start=1)
    ]
    given = copy.deepcopy(evaluated)
    written = list(writer.write(evaluated))
    expect(bool(written), f"{what}: write must name its files")
    absent = [str(path) for path in written if not path.is_file()]
    expect(not absent, f"{what} names files that are not there: {', '.join(absent)}")
    expect(
        all(
            np.array_equal(one.poses, other.poses, equal_nan=True)
            for split, copied in zip(evaluated, given, strict=True)
            for one, other in zip(split.predictions, copied.predictions, strict=True)
        ),
        f"{what} changes what it is given",
    )
    again = list(make(job).write(evaluated))
    expect(again == written, f"{what} writes other files for the same evaluation: {again}")


def fake_evaluation_job(folder: Path, task: PoseTask) -> EvaluationJob:
    """A job of a run that does not exist."""
    return EvaluationJob(
        folder=folder,
        task=task,
        splits=("train", "test"),
        pcutoff=0.6,
        config_path=folder / "pytorch_config.yaml",
        config={"net_type": "resnet_50"},
        snapshot=folder / "snapshot-best-010.pt",
    )


def fake_evaluated_split(name: str, task: PoseTask, seed: int) -> EvaluatedSplit:
    """Five images: keypoints are missing, one image has no labels, in one nothing is found."""
    draw = np.random.default_rng(seed)
    shape = (task.num_individuals, task.num_keypoints, 3)
    num_unique = len(task.unique_keypoints)
    records, predictions = [], []
    for number in range(5):
        labels = draw.uniform((0, 0, 2), (*_SIZE, 2), shape)
        unique = draw.uniform((0, 0, 2), (*_SIZE, 2), (num_unique, 3))
        found = labels[: 0 if number == 3 else None].copy()
        found[..., 2] = draw.random(found.shape[:2])
        found[draw.random(found.shape[:2]) < 0.1] = np.nan
        if number == 4:
            labels = labels[:0]
        parts = ("labeled-data", name, f"img{number:03}.png")
        records.append(
            Record(
                image=Path(*parts),
                size=_SIZE,
                keypoints=labels,
                unique_keypoints=unique,
                individual_ids=np.arange(len(labels)),
                key=parts,
            )
        )
        predictions.append(Prediction(found, unique * (1, 1, 0.4) if num_unique else None))
    metrics = {"rmse": 3.125, "rmse_pcutoff": float("nan"), "mAP": 50.0, "mAR": 60.0}
    errors = draw.uniform(0, 9, task.num_keypoints + num_unique).tolist()
    return EvaluatedSplit(name, records, predictions, metrics, errors)


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
