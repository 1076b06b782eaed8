"""What lies in a run's folder already, and how it gets out of the way without being lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from dlcore.engine.resume import progress, run_id
from dlcore.engine.run_folder import EVALUATIONS, LOGGER, MANIFEST, REPORT, RESOLVED_CONFIG
from dlcore.engine.snapshots import Content, list_offered, list_snapshots, load_snapshot
from dlcore.engine.stages import Stage
from dlcore.errors import SnapshotError, TrainingError


class Room:
    """The files of a folder that a run would write over.

    They are looked for when a run starts, and moved when everything has been built and tried, just
    before the first file is written.

    Args:
        folder: Of the run.
        overwrite: Whether the user wants another run's files moved.

    Attributes:
        replaces_run: Whether a run goes on where another one was, which gives way to it.
    """

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self._folder = folder
        self._overwrite = overwrite
        self.replaces_run = False
        self._move: list[Path] = []
        self._copy: list[Path] = []

    def for_new_run(self, stages: Iterable[Stage]) -> None:
        """Everything that a former run left goes.

        Raises:
            TrainingError: If there is something, and `overwrite` is not asked for.
        """
        names = [RESOLVED_CONFIG, MANIFEST]
        weights = []
        for stage in stages:
            weights += self._weights(stage)
            names += [stage.statistics_file, stage.curves_file, stage.profile_file]
        if not weights:
            return
        if not self._overwrite:
            raise TrainingError(
                f"{str(self._folder)!r} already holds a run ({weights[0].name}); go on with it "
                f"(--resume), train elsewhere (--output DIR), or move it out of the way "
                f"(--overwrite)"
            )
        self._move += weights + [self._folder / n for n in names if (self._folder / n).exists()]
        self._move += self._told()

    def for_resumed_stage(
        self, stage: Stage, source: Path, content: Content, *, by_config: bool
    ) -> None:
        """What is later than the snapshot that a stage goes on from goes.

        Args:
            stage: The stage.
            source: The snapshot.
            content: What it holds.
            by_config: Whether the config names the snapshot, not the command line.

        Raises:
            TrainingError: If the folder holds another run, or the config names a snapshot that
                the run has gone beyond, and `overwrite` is not asked for.
        """
        files = self._weights(stage)
        if not files or source.name == stage.resume_file:
            return
        if source.parent.resolve() != self._folder.resolve() and not self._is_same_run(
            stage, content
        ):
            self._require_overwrite(f"holds another run than {str(source)!r} belongs to")
            names = (stage.statistics_file, stage.curves_file, stage.profile_file)
            tables = [self._folder / name for name in names]
            self._move += [*files, *(path for path in tables if path.exists()), *self._told()]
            self.replaces_run = True
            return
        later = [path for path in files if _is_later(path, content)]
        if not later:
            return
        if by_config:
            self._require_overwrite(
                f"has gone beyond {source.name}, which resume_training_from names ({later[0].name})"
            )
        self._move += later
        self._copy += [self._folder / stage.statistics_file]

    def clear(self) -> None:
        """Move the files into a folder of their own beside the new ones."""
        if not self._move:
            return
        place = self._folder / f"replaced-{datetime.now():%Y%m%d-%H%M%S-%f}"
        place.mkdir()
        for path in self._move:
            shutil.move(path, place / path.name)
        for path in self._copy:
            if path.is_file():
                shutil.copy2(path, place / path.name)
        LOGGER.info("moved %d files of a former run to %s", len(self._move), place)
        self._move, self._copy = [], []

    def _told(self) -> list[Path]:
        """What was said about the run that gives way, and is not true of the next one."""
        found = [*self._folder.glob(EVALUATIONS), self._folder / REPORT]
        return [path for path in found if path.exists() and path not in self._move]

    def _weights(self, stage: Stage) -> list[Path]:
        prefix = stage.snapshot_prefix
        found = [s.path for s in list_offered(self._folder, prefix)]
        found += [s.path for s in list_snapshots(self._folder, prefix)]
        resume_file = self._folder / stage.resume_file
        return [*found, resume_file] if resume_file.is_file() else found

    def _is_same_run(self, stage: Stage, content: Content) -> bool:
        own = run_id(content)
        if own is None:
            return False
        for path in reversed(self._weights(stage)):
            try:
                return run_id(load_snapshot(path)) == own
            except SnapshotError:
                continue
        return False

    def _require_overwrite(self, what: str) -> None:
        if not self._overwrite:
            raise TrainingError(
                f"{str(self._folder)!r} {what}; go on from the latest state (--resume), train "
                f"elsewhere (--output DIR), or move what is there out of the way (--overwrite)"
            )


def _is_later(path: Path, content: Content) -> bool:
    try:
        return progress(load_snapshot(path)) > progress(content)
    except SnapshotError:
        return True  # damaged, and in the way
