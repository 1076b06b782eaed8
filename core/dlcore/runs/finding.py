"""Which folders are those of runs, by their files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from dlcore.engine.run_folder import RESOLVED_CONFIG
from dlcore.engine.stage_files import statistics_file

CONFIG = "pytorch_config.yaml"
STAGES = ("detector", "pose")
"""In the order in which they are trained."""

_SURE = {RESOLVED_CONFIG, *(statistics_file(stage) for stage in STAGES)}
_NEVER = {
    "__pycache__",
    "evaluation-results-pytorch",
    "exported-models-pytorch",
    "labeled-data",
    "node_modules",
    "tensorboard",
    "training-datasets",
    "videos",
    "wandb",
}
"""Folders of projects and runs that hold many files and no run."""


def find_runs(folder: Path, seconds: float | None = None) -> list[Path]:
    """The folders at and below one that hold a run of dlcore or DeepLabCut, by name.

    Hidden folders are left out, and what a run has moved out of its way.

    Args:
        folder: Where to look.
        seconds: Look no longer than this.
    """
    found = []
    end = None if seconds is None else time.monotonic() + seconds
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _may_hold_runs(name)]
        if end is not None and time.monotonic() > end:
            break
        if _is_run(files):
            found.append(Path(place))
    return sorted(found)


def _may_hold_runs(name: str) -> bool:
    return name not in _NEVER and not name.startswith((".", "replaced-"))


def _is_run(files: Iterable[str]) -> bool:
    names = set(files)
    trained = any(n.startswith("snapshot") and n.endswith(".pt") for n in names)
    return bool(names & _SURE) or (CONFIG in names and trained)
