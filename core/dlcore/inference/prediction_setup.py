"""What a prediction needs before its first frame: its job, writers, tracker and working folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlcore.building import build
from dlcore.errors import DataError
from dlcore.inference.sources import Source
from dlcore.inference.streaming import Crop
from dlcore.inference.trained_model import TrainedModel
from dlcore.interfaces import PredictionJob, PredictionWriter, Tracker

DEFAULT_WRITER = "deeplabcut"
DEFAULT_TRACKER = "oks"
AUTO = "auto"


@dataclass(frozen=True)
class PredictionOptions:
    """What is wanted of a prediction.

    Attributes:
        output: Folder for the files; None for that of the source.
        writers: Blocks of prediction writers.
        tracker: Block of a tracker; None for none; `AUTO` for the default one in videos of several
            individuals that the model does not know by identity.
        start: Number of the first frame.
        stop: Number of the frame before which to end; None for the end.
        crop: What the model sees of each frame.
        overwrite: Whether files that exist are replaced.
    """

    output: Path | None = None
    writers: Sequence[Mapping[str, Any]] = field(default_factory=lambda: [{"type": DEFAULT_WRITER}])
    tracker: Mapping[str, Any] | str | None = AUTO
    start: int = 0
    stop: int | None = None
    crop: Crop | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Prepared:
    """A prediction that can begin.

    Attributes:
        job: What writers are told.
        output: Where their files go in the end.
        writers: Those whose files are to be made.
        tracker: Tells who is who; None to keep the order.
        kept: Files that are there already, and stay.
    """

    job: PredictionJob
    output: Path
    writers: list[PredictionWriter]
    tracker: Tracker | None
    kept: list[Path]


def prepare(model: TrainedModel, source: Source, options: PredictionOptions) -> Prepared:
    """Make ready for predicting a source; nothing is written.

    Raises:
        DataError: If the crop lies outside the frames.
        ConfigError: If there is no such writer or tracker, or an option of it is wrong.
    """
    _require_crop(options.crop, source)
    output = (options.output or source.folder).expanduser()
    name = f".{source.path.stem}-{_fingerprint(model, source, options)}.part"
    job = _job(model, source, options, output / name)
    tracker = _tracker(model, source, options)
    if tracker is not None:
        job = replace(job, tracker=tracker[0])
    writers, kept = [], []
    for block in options.writers:
        writer: PredictionWriter = build(
            model.run.host, "prediction_writers", block, job, key="--format"
        )
        there = [name for name in writer.files if (output / name).exists()]
        if options.overwrite or set(there) <= set(writer.shared_files):
            writers.append(writer)
        else:
            kept += [output / name for name in there]
    names = [name for writer in writers for name in writer.files]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise DataError(f"two formats write {doubles[0]!r}; choose one of them")
    return Prepared(job, output, writers, None if tracker is None else tracker[1], kept)


def _require_crop(crop: Crop | None, source: Source) -> None:
    if crop is None or source.size is None:
        return
    width, height = source.size
    if crop.x + crop.width > width or crop.y + crop.height > height:
        raise DataError(
            f"the crop {','.join(map(str, crop))} (x, y, width, height) does not lie in "
            f"{str(source.path)!r}, which is {width}x{height}"
        )


def _fingerprint(model: TrainedModel, source: Source, options: PredictionOptions) -> str:
    """What the poses depend on, in a few letters; not how they are written or tracked."""
    files = [*source.files, model.snapshot, model.detector_snapshot]
    states = [(path, path.stat()) for path in files if path is not None and path.exists()]
    parts = [
        [(str(p.absolute()), state.st_size, state.st_mtime_ns) for p, state in states],
        [options.start, options.crop, model.precision, model.backend],
        [model.conditions, model.run.loaded.values],
    ]
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:10]


def _job(
    model: TrainedModel, source: Source, options: PredictionOptions, folder: Path
) -> PredictionJob:
    num_frames = source.num_frames
    if num_frames is not None:
        last = num_frames if options.stop is None else min(num_frames, options.stop)
        num_frames = max(0, last - options.start)
    return PredictionJob(
        folder=folder,
        source=source.path,
        kind=source.kind,
        task=model.task,
        config_path=model.run.place,
        config=model.run.loaded.values,
        snapshot=model.snapshot,
        detector_snapshot=model.detector_snapshot,
        frames_per_second=source.frames_per_second,
        size=source.size,
        num_frames=num_frames,
        num_source_frames=source.num_frames,
        first_frame=options.start,
        batch_size=model.batch_size,
    )


def _tracker(
    model: TrainedModel, source: Source, options: PredictionOptions
) -> tuple[str, Tracker] | None:
    block = options.tracker
    task = model.task
    if block == AUTO:
        needed = source.kind == "video" and task.num_individuals > 1 and not task.with_identity
        block = {"type": DEFAULT_TRACKER} if needed else None
    if block is None:
        return None
    if isinstance(block, str):
        block = {"type": block}
    tracker: Tracker = build(model.run.host, "trackers", block, task, key="--tracker")
    return str(block["type"]), tracker
