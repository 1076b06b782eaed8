"""The stages of a run: a detector first where there is one, then the pose model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlcore.config.schema import (
    Data,
    DetectorData,
    RunConfig,
    RunnerSection,
    TrainSettings,
)
from dlcore.engine import stage_files

StageName = Literal["pose", "detector"]


@dataclass(frozen=True)
class Stage:
    """One model that a run trains, with the sections of the config that are about it.

    Attributes:
        name: "pose" or "detector".
        data: Transforms.
        runner: Optimizer, schedule, snapshots.
        settings: How long and on how much at a time.
        resume_training_from: A snapshot to go on from.
    """

    name: StageName
    data: Data | DetectorData
    runner: RunnerSection
    settings: TrainSettings
    resume_training_from: str | None

    def key(self, name: str) -> str:
        """The dotted key of one of its sections: "runner" or "detector.runner"."""
        return name if self.name == "pose" else f"{self.name}.{name}"

    @property
    def snapshot_prefix(self) -> str:
        """What the names of its snapshots begin with."""
        return self.runner.snapshot_prefix or stage_files.snapshot_prefix(self.name)

    @property
    def resume_file(self) -> str:
        """Holds everything it needs to go on exactly, as of the last time it was saved."""
        return stage_files.resume_file(self.name)

    @property
    def statistics_file(self) -> str:
        """Its table of losses and metrics."""
        return stage_files.statistics_file(self.name)

    @property
    def curves_file(self) -> str:
        """Its picture of that table."""
        return stage_files.curves_file(self.name)

    @property
    def profile_file(self) -> str:
        """Its picture of where the time went, if that was asked for."""
        return stage_files.profile_file(self.name)


def stages_of(config: RunConfig, only: StageName | None = None) -> list[Stage]:
    """What a run trains, in order. A stage of 0 epochs is left out.

    Args:
        config: The config of the run.
        only: Leave the other one out.
    """
    names: list[StageName] = ["pose"]
    if config.method == "td" and config.detector is not None:
        names.insert(0, "detector")
    stages = [stage_named(config, name) for name in names]
    return [s for s in stages if s.settings.epochs > 0 and only in (None, s.name)]


def with_batch_size(config: RunConfig, name: StageName, images: int) -> RunConfig:
    """The config with another batch size for a stage."""
    section = config if name == "pose" else config.detector
    if section is None:
        return config
    settings = section.train_settings.model_copy(update={"batch_size": images})
    changed = section.model_copy(update={"train_settings": settings})
    if isinstance(changed, RunConfig):
        return changed
    return config.model_copy(update={"detector": changed})


def stage_named(config: RunConfig, name: StageName) -> Stage:
    """One stage of a run.

    Raises:
        ValueError: If there is no such stage.
    """
    if name == "pose":
        pose = (config.data, config.runner, config.train_settings, config.resume_training_from)
        return Stage("pose", *pose)
    detector = config.detector
    if detector is None:
        raise ValueError("the config has no detector")
    return Stage(
        "detector",
        detector.data,
        detector.runner,
        detector.train_settings,
        detector.resume_training_from,
    )
