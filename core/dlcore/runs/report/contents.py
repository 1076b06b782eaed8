"""What stands on the page about a run, gathered from its files."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from dlcore.engine.run_folder import LOG_FILE, PROVENANCE
from dlcore.runs.record import EVAL_LOSS, TRAIN_LOSS, RunRecord, StageRecord, open_run
from dlcore.runs.report.charts import Chart, speed_chart, stage_charts
from dlcore.runs.report.evaluations import EvaluationRecord, ImageErrors, read_evaluations
from dlcore.runs.report.log import StageLog, read_log
from dlcore.runs.report.pictures import EmbeddedPicture, embed_pictures
from dlcore.runs.report.settings import ConfigValue, config_values, environment_of, plugins_of
from dlcore.runs.state import RunState, state_of

_PROFILE = "profile/"
_WORST_IMAGES = 10
_TRAINING_IMAGES = re.compile(r"(\d+) training")
_PAUSE = 10
"""A step of so many usual ones from epoch to epoch is a pause: the run was resumed."""
_LEAST_SECONDS = 20
"""The log tells seconds; shares of shorter times are not known."""


@dataclass(frozen=True)
class Part:
    """A part of the work of an epoch: its seconds, and its share of the whole in percent."""

    name: str
    seconds: float
    share: float


@dataclass(frozen=True)
class StagePart:
    """What the page says of one stage.

    Attributes:
        record: How far it came.
        last: The last values of the losses by name.
        charts: Learning curves.
        speed: Images per second over the epochs, as a chart; none where unknown.
        images_per_s: In training, of the median epoch.
        epoch_seconds: From one epoch's end to the next, in the median; None where unknown.
        training_share: Percent of the time between the first and the last epoch's end in which the
            model was trained; the rest are evaluations and snapshots. None where unknown.
        profile: Where the time of an epoch goes, the largest part first; empty if not profiled.
        log: What the log says.
    """

    record: StageRecord
    last: dict[str, float]
    charts: list[Chart]
    speed: list[Chart]
    images_per_s: float | None
    epoch_seconds: float | None
    training_share: float | None
    profile: list[Part]
    log: StageLog


@dataclass(frozen=True)
class EvaluationPart:
    """What the page says of one evaluation.

    Attributes:
        record: What the file holds.
        pictures: By kind.
        worst_images: Those with the largest errors.
        missed: Individuals that were not found, in all images; None where unknown.
        is_of_another: Whether its snapshot is not in the folder any more.
    """

    record: EvaluationRecord
    pictures: dict[str, list[EmbeddedPicture]]
    worst_images: list[ImageErrors]
    missed: int | None
    is_of_another: bool

    @property
    def largest(self) -> float:
        """The largest error that is drawn, in pixels."""
        drawn = [
            value
            for item in self.record.keypoints
            for value in (item.middle, item.pixels["p90"])
            if value is not None
        ]
        return max(drawn, default=0.0) or 1.0


@dataclass(frozen=True)
class Contents:
    """Everything on the page.

    Attributes:
        name: Of the run.
        run: What its files say.
        state: Whether it is complete.
        data: How many images there are.
        begun: When it was started.
        duration: From then to its end, in seconds; None where unknown.
        stages: In the order of training.
        evaluations: By `dlcore evaluate`.
        config: Values by section.
        has_provenance: Whether it is known where they come from.
        environment: Name and value.
        plugins: Name, package or file, version.
        problems: What could not be read.
    """

    name: str
    run: RunRecord
    state: RunState
    data: str
    begun: str
    duration: float | None
    stages: list[StagePart]
    evaluations: list[EvaluationPart]
    config: dict[str, list[ConfigValue]]
    has_provenance: bool
    environment: list[tuple[str, str]]
    plugins: list[tuple[str, str, str]]
    problems: list[str]


def gather(folder: Path) -> Contents:
    """Read everything that the page about a run says.

    Raises:
        DataError: If the folder holds no run.
    """
    run = open_run(folder)
    log = read_log(folder / LOG_FILE, run.stages)
    found = _TRAINING_IMAGES.search(log.data)
    images = int(found[1]) if found is not None else 0
    stages = [_stage(stage, log.stages[stage.name], images) for stage in run.stages]
    records, problems = read_evaluations(folder)
    evaluations = []
    for record in records:
        pictures, of_pictures = embed_pictures(record.pictures, folder)
        problems += of_pictures
        evaluations.append(_evaluation(record, pictures, run))
    provenance = run.manifest.get(PROVENANCE)
    begun = str(run.status.get("since") or run.manifest.get("created") or "")
    return Contents(
        folder.resolve().name,
        run,
        state_of(run),
        log.data,
        begun.replace("T", " "),
        _seconds_between(begun, str(run.status.get("until") or "")),
        stages,
        evaluations,
        config_values(run.values, provenance if isinstance(provenance, Mapping) else None),
        isinstance(provenance, Mapping),
        environment_of(run.manifest),
        plugins_of(run.manifest),
        [*run.problems, *problems],
    )


def _stage(stage: StageRecord, log: StageLog, images: int) -> StagePart:
    last = {
        title: stage.curves[name][1][-1]
        for title, name in (("train", TRAIN_LOSS), ("test", EVAL_LOSS))
        if name in stage.curves
    }
    times = [log.times[epoch] for epoch in sorted(log.times)]
    steps = [(after - before).total_seconds() for before, after in pairwise(times)]
    return StagePart(
        stage,
        last,
        stage_charts(stage, log.rates),
        speed_chart(log.speeds),
        statistics.median(log.speeds.values()) if log.speeds else None,
        statistics.median(steps) if steps else None,
        _training_share(log, images),
        _profile(stage),
        log,
    )


def _training_share(log: StageLog, images: int) -> float | None:
    """From the speed of each epoch and the time that it took with everything around it."""
    epochs = sorted(log.times)
    steps = {
        epoch: (log.times[epoch] - log.times[former]).total_seconds()
        for former, epoch in pairwise(epochs)
        if log.speeds.get(epoch) and epoch == former + 1
    }
    usual = statistics.median(steps.values()) if steps else 0.0
    counted = {epoch: step for epoch, step in steps.items() if step <= _PAUSE * max(usual, 1.0)}
    busy, passed = sum(images / log.speeds[epoch] for epoch in counted), sum(counted.values())
    if not images or passed < _LEAST_SECONDS:
        return None
    return min(100 * busy / passed, 100.0)


def _profile(stage: StageRecord) -> list[Part]:
    """Mean seconds of an epoch, without the first where there are others.

    Images are decoded and memory is found in the first one.
    """
    columns = {
        name.removeprefix(_PROFILE).removesuffix("_s"): dict(zip(epochs, values, strict=True))
        for name, (epochs, values) in stage.curves.items()
        if name.startswith(_PROFILE)
    }
    epochs = sorted({epoch for column in columns.values() for epoch in column})
    counted = epochs[1:] or epochs
    means = {
        name: sum(column.get(epoch, 0.0) for epoch in counted) / len(counted)
        for name, column in columns.items()
    }
    total = sum(means.values())
    parts = sorted(means.items(), key=lambda item: -item[1])
    return [Part(name, value, 100 * value / total) for name, value in parts if value > 0]


def _evaluation(
    record: EvaluationRecord, pictures: dict[str, list[EmbeddedPicture]], run: RunRecord
) -> EvaluationPart:
    measured = [image for image in record.per_image if image.rmse is not None]
    measured.sort(key=lambda image: -(image.rmse or 0.0))
    missed = [image.missed for image in record.per_image if image.missed is not None]
    return EvaluationPart(
        record,
        pictures,
        measured[:_WORST_IMAGES],
        sum(missed) if missed else None,
        bool(record.snapshot) and Path(record.snapshot).name not in run.snapshots,
    )


def _seconds_between(begin: str, end: str) -> float | None:
    try:
        times = [datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z") for text in (begin, end)]
    except ValueError:
        return None
    return (times[1] - times[0]).total_seconds()
