"""A trained run on disk: its config, what it finds, its snapshots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcore.config.loading import LoadedConfig, load_config
from dlcore.config.net_types import task_of
from dlcore.engine.former_plugins import expect_plugins_of
from dlcore.engine.run_folder import CONFIG_PATH, MANIFEST, RESOLVED_CONFIG
from dlcore.engine.setup import find_dataset
from dlcore.engine.snapshots import list_snapshots
from dlcore.engine.stages import Stage, StageName, stage_named
from dlcore.errors import DlcoreError, SnapshotError
from dlcore.interfaces import PoseDataset, PoseTask
from dlcore.plugin_host import PluginHost

CONFIG = "pytorch_config.yaml"


@dataclass(frozen=True)
class TrainedRun:
    """A run that has been trained, by dlcore or by DeepLabCut.

    Attributes:
        loaded: Its config.
        host: Where components are found.
        folder: Where its snapshots are.
        task: The names behind the numbers.
        place: The config file that the run was started with, which its data may lie beside.
    """

    loaded: LoadedConfig
    host: PluginHost
    folder: Path
    task: PoseTask
    place: Path

    @classmethod
    def open(cls, path: Path, host: PluginHost, overrides: Sequence[str] = ()) -> TrainedRun:
        """The run of a folder, or of the config file in it.

        Args:
            path: The folder, or its `pytorch_config.yaml` or `resolved_config.yaml`.
            host: Where components are found.
            overrides: As for `--set`.

        Raises:
            DlcoreError: If there is no run, or its config is wrong.
        """
        file = _config_file(path)
        expect_plugins_of(host, file.parent)
        loaded = load_config(file, host, overrides)
        place = _place(file)
        task = task_of(loaded.values) or find_dataset(loaded, host, place).task
        return cls(loaded, host, file.parent, task, place)

    def dataset(self) -> PoseDataset:
        """The labelled data that the run was trained on.

        Raises:
            DlcoreError: If they are no longer there.
        """
        return find_dataset(self.loaded, self.host, self.place)

    def stage(self, name: StageName) -> Stage:
        """The pose model or the detector of the run."""
        return stage_named(self.loaded.config, name)

    def snapshot(self, which: str | Path | None = None, stage: StageName = "pose") -> Path:
        """A snapshot of the run.

        Args:
            which: "best", "last", the number of an epoch, or a path; None for the best or, where
                none is called that, the last.
            stage: Of which model.

        Raises:
            SnapshotError: If there is none such.
        """
        if isinstance(which, Path) or (which is not None and not _is_name(which)):
            path = Path(which)
            for candidate in (path, self.folder / path):
                if candidate.is_file():
                    return candidate
        found = list_snapshots(self.folder, self.stage(stage).snapshot_prefix)
        epochs = {snapshot.epoch: snapshot for snapshot in found}
        chosen = None
        if which in (None, "best"):
            chosen = next((s for s in found if s.best), None)
        if which == "last" or (which is None and chosen is None):
            chosen = epochs[max(epochs)] if epochs else None
        elif str(which).isdecimal():
            chosen = epochs.get(int(str(which)))
        if chosen is not None:
            return chosen.path
        names = ", ".join(s.path.name for s in found) or "none"
        wanted = "" if which is None else f" {str(which)!r}"
        raise SnapshotError(
            f"there is no snapshot{wanted} of the {stage} model in {str(self.folder)!r}; "
            f"there are: {names}"
        )


def _place(file: Path) -> Path:
    """Where the config was when the run was started; where it is now, if nothing is known."""
    if file.name != RESOLVED_CONFIG:
        return file
    try:
        about = json.loads((file.parent / MANIFEST).read_text(encoding="utf-8"))
        place = Path(about[CONFIG_PATH])
    except (OSError, ValueError, KeyError, TypeError):
        return file
    return place if place.is_file() else file


def _is_name(which: str) -> bool:
    return which in ("best", "last") or which.isdecimal()


def _config_file(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        raise DlcoreError(f"there is no run {str(path)!r}: neither a folder nor a config file")
    for name in (RESOLVED_CONFIG, CONFIG):
        if (path / name).is_file():
            return path / name
    raise DlcoreError(
        f"{str(path)!r} is not the folder of a run: it has no {RESOLVED_CONFIG} and no {CONFIG}"
    )
