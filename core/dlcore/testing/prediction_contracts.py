"""Contracts of what handles predictions: writers and trackers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import (
    PoseTask,
    PredictedFrame,
    Prediction,
    PredictionJob,
    PredictionWriter,
    Tracker,
)
from dlcore.testing.assertions import expect, expect_instance

_MANY_FRAMES = 50


def check_prediction_writer(
    make: Callable[[PredictionJob], PredictionWriter], folder: Path, task: PoseTask
) -> None:
    """Check that a writer leaves the files it promises, from videos and images, long and short.

    Args:
        make: Makes the writer for a job.
        folder: An empty folder.
        task: What the predictions are of.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    video = fake_prediction_job(folder, task)
    images = replace(video, kind="images", frames_per_second=None, source=folder / "images")
    for number, job in enumerate((video, replace(video, tracker="fake"), images)):
        every = list(fake_frames(job))
        for frames in (every, every[:1], every[4:5]):  # all, one, one that is broken
            place = folder / f"{number}-{len(frames)}-{frames[0].number}"
            place.mkdir()
            _check_files(make(replace(job, folder=place)), place, frames)
    place = folder / "abandoned"
    place.mkdir()
    writer = make(replace(video, folder=place))
    writer.write(list(fake_frames(video))[:1])
    writer.abandon()


def _check_files(writer: PredictionWriter, place: Path, frames: list[PredictedFrame]) -> None:
    what = type(writer).__name__
    expect_instance(writer, PredictionWriter, what)
    expect(not list(place.iterdir()), f"{what}: its constructor writes; wait for the first frame")
    files = writer.files
    expect(bool(files), f"{what}: files must name what it writes")
    expect(
        all(name == Path(name).name for name in files),
        f"{what}: files must be names without folders, got {files}",
    )
    expect(
        set(writer.shared_files) <= set(files),
        f"{what}: shared_files must be some of its files, got {writer.shared_files}",
    )
    before = copy.deepcopy(frames)
    for start in range(0, len(frames), 7):
        writer.write(frames[start : start + 7])
    writer.close()
    writer.abandon()
    expect(
        all(
            np.array_equal(one.prediction.poses, other.prediction.poses, equal_nan=True)
            for one, other in zip(frames, before, strict=True)
        ),
        f"{what} changes what it is given",
    )
    found = sorted(path.name for path in place.iterdir())
    expect(
        found == sorted(files),
        f"{what} leaves {found} after {len(frames)} frames; its files are {sorted(files)}",
    )


def fake_prediction_job(folder: Path, task: PoseTask) -> PredictionJob:
    """A job of predicting a video of 96 x 64 pixels, of a run that does not exist."""
    return PredictionJob(
        folder=folder,
        source=folder / "clip.mp4",
        kind="video",
        task=task,
        config_path=folder / "run" / "pytorch_config.yaml",
        config={"net_type": "resnet_50"},
        snapshot=folder / "run" / "snapshot-best-010.pt",
        frames_per_second=25.0,
        size=(96, 64),
        num_frames=_MANY_FRAMES,
    )


def fake_frames(job: PredictionJob) -> Iterator[PredictedFrame]:
    """Frames as a job has them: individuals come and go, keypoints are missing, some are broken."""
    draw = np.random.default_rng(0)
    task, (width, height) = job.task, job.size or (96, 64)
    shape = (task.num_individuals, task.num_keypoints, 3)
    for number in range(job.num_frames or _MANY_FRAMES):
        broken = number % 10 == 4
        poses = draw.uniform((0, 0, 0), (width, height, 1), shape)
        poses[draw.random(shape[:2]) < 0.1] = np.nan
        poses[draw.random(len(poses)) < 0.2] = np.nan
        unique = draw.uniform((0, 0, 0), (width, height, 1), (len(task.unique_keypoints), 3))
        if broken:
            poses[:], unique[:] = np.nan, np.nan
        yield PredictedFrame(
            number,
            Prediction(poses, unique if task.unique_keypoints else None),
            name="" if job.kind == "video" else f"images/{number:03}.png",
            size=None if broken else (width, height),
            pixels=None if broken else np.full((height, width, 3), number, np.uint8),
        )


def check_tracker(make: Callable[[PoseTask], Tracker], task: PoseTask) -> None:
    """Check that a tracker gives each pose an individual, and keeps those that hardly move.

    Args:
        make: Makes the tracker.
        task: A task with at least two individuals.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    tracker = make(task)
    what = type(tracker).__name__
    expect_instance(tracker, Tracker, what)
    num = task.num_individuals
    expect(num > 1, "a tracker is checked with a task of several individuals")
    draw = np.random.default_rng(0)
    still = draw.uniform(0, 20, (num, task.num_keypoints, 3))
    still[:, :, 0] += 200 * np.arange(num)[:, None]
    still[:, :, 2] = 0.9
    seen: npt.NDArray[np.int64] | None = None
    for _ in range(20):
        order = draw.permutation(num)
        rows = _update(tracker, still[order], num, what)
        own = np.full(num, -1)
        own[order] = rows
        expect((own >= 0).all(), f"{what} leaves poses out although there are individuals for all")
        expect(
            seen is None or bool((own == seen).all()),
            f"{what} gives individuals that stay where they are other rows from frame to frame",
        )
        seen = own
    empty = np.zeros((0, task.num_keypoints, 3))
    missing = np.full((1, task.num_keypoints, 3), np.nan)
    crowd = draw.uniform(0, 200, (num + 2, task.num_keypoints, 3))
    for poses in (empty, missing, crowd, still[:1], crowd[:, ::-1], empty):
        _update(tracker, poses, num, what)
    for poses in (empty, missing, crowd):  # as the first frame
        _update(make(task), poses, num, what)


def _update(
    tracker: Tracker, poses: npt.NDArray[np.float64], num: int, what: str
) -> npt.NDArray[np.int64]:
    before = poses.copy()
    rows = np.asarray(tracker.update(poses))
    expect(np.array_equal(poses, before, equal_nan=True), f"{what} changes the poses it is given")
    expect(
        rows.shape == (len(poses),) and np.issubdtype(rows.dtype, np.integer),
        f"{what}: update must give one integer for each of {len(poses)} poses, got {rows!r}",
    )
    expect(bool(((rows >= -1) & (rows < num)).all()), f"{what}: there is no individual in {rows}")
    given = rows[rows >= 0]
    expect(len(set(given.tolist())) == len(given), f"{what} gives an individual to two poses")
    return rows
