"""Whether a run is complete, trains, was interrupted or failed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Literal, NamedTuple

from dlcore.engine.status import is_alive
from dlcore.runs.record import RunRecord, StageRecord

StateName = Literal["complete", "running", "running?", "interrupted", "failed", "incomplete"]

_LEAST_PATIENCE = 600.0
_EPOCHS_OF_PATIENCE = 3.0


class RunState(NamedTuple):
    """The state of a run, and what there is to say about it.

    A question mark means that it looks so, but the process cannot be seen. A run is incomplete
    if it ended as it should and a stage is still to be trained.
    """

    name: StateName
    note: str


def state_of(run: RunRecord, now: float | None = None) -> RunState:
    """Judge by what the run has said, by its process and by the age of its files.

    Args:
        run: The run.
        now: Seconds since 1970, to be compared with the age of its files.
    """
    said = run.status.get("state")
    if said == "running":
        alive = is_alive(run.status)
        if alive:
            return RunState("running", "")
        if alive is None and _is_fresh(run, now):
            return RunState("running?", f"on {run.status.get('host')}")
        return _interrupted(run, "its process is gone")
    if said == "failed":
        return RunState("failed", str(run.status.get("error") or ""))
    if said == "interrupted":
        return _interrupted(run)
    open_stages = [stage for stage in run.stages if not _is_done(stage, run)]
    if not open_stages and run.stages:
        stopped = run.status.get("stopped") or {}
        notes = [str(reason) for reason in stopped.values()] if isinstance(stopped, dict) else []
        return RunState("complete", "; ".join(f"stopped: {note}" for note in notes))
    if said == "complete":
        names = ", ".join(stage.name for stage in open_stages)
        return RunState("incomplete", f"still to be trained: {names}")
    if _is_fresh(run, now):
        return RunState("running?", "its files are young")
    return _interrupted(run)


def _is_done(stage: StageRecord, run: RunRecord) -> bool:
    stopped = run.status.get("stopped") or {}
    later = run.stages[run.stages.index(stage) + 1 :]
    went_on = stage.epochs > 0 and any(other.epochs for other in later)
    return stage.given or went_on or stage.epochs >= stage.planned or stage.name in stopped


def _interrupted(run: RunRecord, reason: str = "") -> RunState:
    what = "can be resumed" if run.can_be_resumed else "nothing was saved"
    return RunState("interrupted", f"{reason}, {what}" if reason else what)


def _is_fresh(run: RunRecord, now: float | None) -> bool:
    """Whether something was written lately, for a run of its pace."""
    age = (time.time() if now is None else now) - run.changed
    return age < max(_LEAST_PATIENCE, _EPOCHS_OF_PATIENCE * _seconds_per_epoch(run))


def _seconds_per_epoch(run: RunRecord) -> float:
    """A rough estimate from when the run was started and last written; 0 if nothing is known."""
    try:
        begun = datetime.strptime(str(run.manifest["created"]), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except (KeyError, ValueError):
        return 0.0
    epochs = sum(stage.epochs for stage in run.stages if not stage.given)
    return max(run.changed - begun, 0.0) / max(epochs, 1)
