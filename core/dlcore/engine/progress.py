"""When things happen in a run, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from dlcore.engine.loop import EpochState


@dataclass
class Schedule:
    """When things happen; from `runner` and `train_settings`."""

    epochs: int
    batch_size: int
    seed: int
    eval_interval: int
    display_iters: int
    accumulate_batches: int = 1
    max_gradient_norm: float | None = None


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: Epochs done.
        state: Of the epoch under way.
        metrics: The last ones measured, with the names of `learning_stats.csv`.
        losses: Of the last epoch, likewise.
        logged: What callbacks have logged in the epoch under way.
        stopped: Why the run ends before its last epoch; None if it does not.
    """

    epoch: int = 0
    state: EpochState = field(default_factory=EpochState)
    metrics: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    logged: dict[str, float | Tensor] = field(default_factory=dict)
    stopped: str | None = None
