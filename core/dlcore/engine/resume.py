"""Carry on a run: where to start from, and everything that a run is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from dlcore.engine.optim import state_fits
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import Content, list_snapshots, load_snapshot
from dlcore.engine.stages import Stage
from dlcore.errors import SnapshotError


def find_resume_snapshot(folder: Path, stage: Stage) -> Path | None:
    """What a stage can go on from in the folder of a run: its latest state, if any."""
    if (folder / stage.resume_file).is_file():
        return folder / stage.resume_file
    snapshots = list_snapshots(folder, stage.snapshot_prefix)
    return max(snapshots, key=lambda snapshot: snapshot.epoch).path if snapshots else None


def configured_snapshot(value: str, config_path: Path) -> Path:
    """The file that `resume_training_from` names, also when the project was moved since.

    Raises:
        SnapshotError: If it is neither there nor beside the config.
    """
    path = Path(value).expanduser()
    path = path if path.is_absolute() else config_path.parent / path
    if path.is_file():
        return path
    beside = config_path.parent / value.replace("\\", "/").rpartition("/")[2]
    if beside.is_file():
        LOGGER.warning("resume_training_from: %s is not there; taking %s instead", path, beside)
        return beside
    return path  # loading it gives the error with what is nearby


def load_resume_state(path: Path, stage: Stage) -> Content:
    """Read what a stage goes on from.

    Beside a snapshot of the model's own weights, the resume file of the same run and epoch is
    taken for it: it holds more.
    """
    content = load_snapshot(path)
    if (content.get("dlcore") or {}).get("weights"):
        return content
    beside = path.parent / stage.resume_file
    if path == beside or "rng" in content or run_id(content) is None or not beside.is_file():
        return content
    try:
        full = load_snapshot(beside)
    except SnapshotError as error:
        LOGGER.warning("%s; going on from the snapshot alone", error)
        return content
    same = run_id(full) == run_id(content) and progress(full) == progress(content)
    return full if same else content


def run_id(content: Content) -> str | None:
    """Which run a snapshot of dlcore belongs to."""
    manifest = content.get("dlcore")
    return str(manifest["run_id"]) if manifest and "run_id" in manifest else None


def progress(content: Content) -> tuple[int, int]:
    """(epochs done, steps done of the next one)."""
    metadata = content.get("metadata") or {}
    return int(metadata.get("epoch", 0)), int(content.get("step", 0))


def former_batch_size(content: Content | None, stage: Stage) -> int | None:
    """The batch size that a snapshot was made with, None if it does not say."""
    config = ((content or {}).get("dlcore") or {}).get("config") or {}
    section = config if stage.name == "pose" else config.get("detector") or {}
    images = (section.get("train_settings") or {}).get("batch_size")
    return images if isinstance(images, int) else None


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's random-number generators; all other randomness is derived anew."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` gave."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)


def restore_scheduler(scheduler: LRScheduler, state: Mapping[str, Any]) -> None:
    """Load a saved schedule, and the learning rates that it had reached.

    Raises:
        SnapshotError: If the state belongs to another scheduler.
    """
    if not state_fits(scheduler, state):
        raise SnapshotError(
            f"the schedule saved in the snapshot is not one of {type(scheduler).__name__}, which "
            f"runner.scheduler names; write runner.load_scheduler_state_dict: false to take the "
            f"schedule of the config"
        )
    scheduler.load_state_dict(dict(state))
    for group, rate in zip(scheduler.optimizer.param_groups, scheduler.get_last_lr(), strict=True):
        group["lr"] = rate
