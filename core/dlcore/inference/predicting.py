"""Predict a video or a set of images into files: decode, model, tracker, writers, in one pass.

While it works, a folder beside the results holds the journal and what the writers have begun. When
all is done the files are moved to their places; when it is interrupted the journal stays, and the
same command goes on from there.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from dlcore.errors import DataError, DlcoreError
from dlcore.inference.journal import Journal
from dlcore.inference.prediction_setup import PredictionOptions, Prepared, prepare
from dlcore.inference.rows import by_individual
from dlcore.inference.sources import Source, SourceFrame
from dlcore.inference.streaming import predict_frames
from dlcore.inference.threads import WriteBehind
from dlcore.inference.trained_model import TrainedModel
from dlcore.interfaces import PredictedFrame

LOGGER = logging.getLogger("dlcore")

_JOURNAL = "journal.bin"
_MOST_TOLD = 5  # broken frames that are named one by one

Progress = Callable[["PredictionReport", "int | None"], None]
"""Told how far a prediction is, and how many frames are to be expected."""


@dataclass
class PredictionReport:
    """What became of a source.

    Attributes:
        frames: How many were predicted, those of an earlier attempt included.
        broken: How many of them could not be read.
        resumed: How many an earlier attempt had predicted.
        seconds: For the others.
        files: What was written.
        kept: Files that were there before and stay.
    """

    frames: int = 0
    broken: int = 0
    resumed: int = 0
    seconds: float = 0.0
    files: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)


def predict_source(
    model: TrainedModel,
    source: Source,
    options: PredictionOptions,
    progress: Progress = lambda report, expected: None,
) -> PredictionReport:
    """Predict a source into files.

    Args:
        model: Finds the poses.
        source: Where.
        options: What is wanted.
        progress: Called after every few frames.

    Raises:
        DataError: If the source has no such frames, or the crop lies outside.
        DlcoreError: If a file cannot be written.
    """
    prepared = prepare(model, source, options)
    report = PredictionReport(kept=prepared.kept)
    if not prepared.writers:
        return report
    folder = prepared.job.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(folder / _JOURNAL)
    except BlockingIOError as error:
        raise DataError(
            f"another process predicts {str(source.path)!r} into {str(prepared.output)!r}: wait "
            f"until it has ended, or name another folder with --output"
        ) from error
    except OSError as error:
        raise _unwritable(error, prepared.output, report) from error
    try:
        with closing(journal):
            _clear(folder, keep_empty=True)
            _predict(model, source, options, prepared, journal, report, progress)
        report.files = _move(prepared, options.overwrite)
        shutil.rmtree(folder)
    except OSError as error:
        raise _unwritable(error, prepared.output, report) from error
    finally:
        if folder.is_dir():
            _clear(folder)
    return report


def _move(prepared: Prepared, overwrite: bool) -> list[Path]:
    """Put what the writers have made where it is wanted, and tell where that is."""
    moved = []
    for writer in prepared.writers:
        for name in writer.files:
            path = prepared.output / name
            if overwrite or not path.exists() or name not in writer.shared_files:
                (prepared.job.folder / name).replace(path)
                moved.append(path)
    return moved


def _clear(folder: Path, keep_empty: bool = False) -> None:
    """Leave nothing of an unfinished prediction but its journal.

    Args:
        folder: Where it is; removed if nothing has been predicted.
        keep_empty: Not so: the journal is in use.
    """
    for path in folder.iterdir():
        if path.name != _JOURNAL or not (keep_empty or path.stat().st_size):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _predict(
    model: TrainedModel,
    source: Source,
    options: PredictionOptions,
    prepared: Prepared,
    journal: Journal,
    report: PredictionReport,
    progress: Progress,
) -> None:
    job, writers = prepared.job, prepared.writers

    def write(frames: list[PredictedFrame]) -> None:
        frames = [
            replace(f, prediction=by_individual(f.prediction, job.task, prepared.tracker))
            for f in frames
        ]
        for writer in writers:
            writer.write(frames)

    if journal.done:
        LOGGER.info("%s: going on after %d frames", source.path, journal.done)
    with_pixels = any(writer.wants_pixels for writer in writers)
    broken = _Broken(source)
    with ExitStack() as stack:
        for writer in writers:
            stack.callback(writer.abandon)
        behind = WriteBehind(write)
        stack.callback(behind.cancel)
        frames = _frames(model, source, options, journal, broken, with_pixels)
        stack.callback(frames.close)
        report.resumed = _num_known(journal, options)
        began = time.monotonic()
        while some := list(islice(frames, model.batch_size)):
            behind.put(some)
            report.frames += len(some)
            report.broken += sum(frame.size is None for frame in some)
            if report.frames <= report.resumed:
                began = time.monotonic()
            report.seconds = time.monotonic() - began
            progress(report, job.num_frames)
        if not report.frames:
            raise DataError(
                f"{str(source.path)!r} has no frames in {options.start}:{options.stop or ''}; "
                f"choose others with --frames"
            )
        behind.finish()
        for writer in writers:
            writer.close()
    broken.sum_up()
    if job.num_frames and report.frames < job.num_frames:
        LOGGER.warning(
            "%s ended after %d of about %d frames: it is cut short, or its header is wrong",
            source.path,
            report.frames,
            job.num_frames,
        )


def _num_known(journal: Journal, options: PredictionOptions) -> int:
    """How many of the wanted frames the journal has."""
    if options.stop is None:
        return journal.done
    return min(journal.done, max(0, options.stop - options.start))


def _frames(
    model: TrainedModel,
    source: Source,
    options: PredictionOptions,
    journal: Journal,
    broken: _Broken,
    with_pixels: bool,
) -> Generator[PredictedFrame, None, None]:
    """What is found in each frame: from the journal as far as it goes, then from the model."""
    known = _num_known(journal, options)
    first = options.start if with_pixels else options.start + known
    decoded = source.frames(first, options.stop)
    for frame in islice(journal.frames(), known):
        yield replace(frame, pixels=next(decoded).pixels) if with_pixels else frame
    pairs = predict_frames(model.estimator, decoded, model.batch_size, options.crop, source.size)
    new: list[PredictedFrame] = []
    with closing(pairs):
        for given, prediction in pairs:
            broken.look_at(given)
            size = None if given.pixels is None else (given.pixels.shape[1], given.pixels.shape[0])
            new.append(PredictedFrame(given.number, prediction, given.name, size))
            if len(new) >= model.batch_size:
                journal.append(new)
                new = []
            pixels = given.pixels if with_pixels else None
            yield PredictedFrame(given.number, prediction, given.name, size, pixels)
        journal.append(new)


class _Broken:
    """Tells about frames that cannot be read, and about those of another size."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._count = 0
        self._size: tuple[int, ...] | None = None

    def look_at(self, frame: SourceFrame) -> None:
        if frame.pixels is None:
            self._count += 1
            if self._count <= _MOST_TOLD:
                what = f"{self._source.path}: frame {frame.number} " if not frame.name else ""
                LOGGER.warning("%s%s", what, frame.problem)
            return
        size = frame.pixels.shape[1::-1]
        if self._source.kind == "video" and self._size not in (None, size):
            LOGGER.warning(
                "%s: from frame %d on frames are %dx%d; coordinates are in pixels of their frame",
                self._source.path,
                frame.number,
                *size,
            )
        self._size = size

    def sum_up(self) -> None:
        if self._count > _MOST_TOLD:
            LOGGER.warning("%s: %d frames could not be read", self._source.path, self._count)


def _unwritable(error: OSError, output: Path, report: PredictionReport) -> DlcoreError:
    reason = error.strerror or str(error)
    return DlcoreError(
        f"the predictions cannot be written to {str(output)!r} after {report.frames} frames: "
        f"{reason}; make room or name another folder with --output, and run the same command "
        f"again: with the same folder it goes on from there"
    )
