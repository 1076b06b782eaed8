"""Ending a run that does not improve any more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from dlcore.interfaces import Callback, EpochEnd, RunStart, TrainingRun

_UP, _DOWN = ("mAP", "mAR", "PCK"), ("rmse", "losses/")


class EarlyStopping(Callback):
    """Ends the run when a metric has not improved for a while.

    The epoch in which it gives up is the last: its snapshot is written, and the best one is there
    as ever. Resumed without a change, the run stays ended; with more patience it goes on.

    Args:
        metric: A column of learning_stats.csv, such as `test.rmse`, `losses/eval.total_loss` or
            `losses/train.total_loss`; the run's key metric if left out.
        mode: Whether larger (`max`) or smaller (`min`) is better; `auto` knows it of the key
            metric, of losses, errors and precisions.
        patience: How many measurements in a row may bring no improvement. Metrics are measured
            every `runner.eval_interval` epochs, training losses in each.
        min_delta: What counts as an improvement has to be greater than this.
        start_epoch: Measurements before this epoch are not looked at.
    """

    order = 50

    def __init__(
        self,
        *,
        metric: str | None = None,
        mode: Literal["auto", "min", "max"] = "auto",
        patience: Annotated[int, Field(ge=1)] = 10,
        min_delta: Annotated[float, Field(ge=0)] = 0.0,
        start_epoch: Annotated[int, Field(ge=1)] = 1,
    ) -> None:
        self._metric, self._mode = metric, mode
        self._name, self._sign = "", 1
        self._patience = patience
        self._min_delta = min_delta
        self._start_epoch = start_epoch
        self._best: float | None = None
        self._best_epoch = 0
        self._without = 0

    def on_run_start(self, run: TrainingRun, event: RunStart) -> None:
        """Find the metric; stop at once where the run was stopped before.

        Raises:
            ValueError: If it is not measured, or `mode` cannot be known.
        """
        metric = self._metric or run.key_metric
        self._name = metric if "/" in metric else f"metrics/{metric}"
        trained = self._name.startswith("losses/train.")
        if not trained and self._name not in run.metric_names:
            known = ", ".join(name.removeprefix("metrics/") for name in run.metric_names)
            raise ValueError(
                f"metric {metric!r} is not measured; choose one of "
                f"{known or 'losses/train.total_loss, for nothing is evaluated'}"
            )
        self._sign = 1 if self._is_rising(run) else -1
        self._stop_if_exhausted(run)

    def on_epoch_end(self, run: TrainingRun, event: EpochEnd) -> None:
        """Compare with the best so far.

        Raises:
            KeyError: If the metric is missing although the model was evaluated.
        """
        trained = self._name.startswith("losses/train.")
        if event.epoch < self._start_epoch or not (trained or event.evaluated):
            return
        value = event.values[self._name]
        if not math.isnan(value) and self._is_better(value):
            self._best, self._best_epoch, self._without = float(value), event.epoch, 0
            return
        self._without += 1
        self._stop_if_exhausted(run)

    def state_dict(self) -> dict[str, Any]:
        """The best value, when it was, and how long ago."""
        return {"best": self._best, "best_epoch": self._best_epoch, "without": self._without}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on waiting."""
        self._best = state["best"]
        self._best_epoch, self._without = int(state["best_epoch"]), int(state["without"])

    def _is_better(self, value: float) -> bool:
        return self._best is None or self._sign * (value - self._best) > self._min_delta

    def _stop_if_exhausted(self, run: TrainingRun) -> None:
        if self._without < self._patience:
            return
        short = self._name.removeprefix("metrics/")
        since = "at all"
        if self._best is not None:
            since = f"since {self._best:g} in epoch {self._best_epoch}"
        run.stop(f"{short} has not improved {since} (EarlyStopping, patience {self._patience})")

    def _is_rising(self, run: TrainingRun) -> bool:
        if self._mode != "auto":
            return self._mode == "max"
        short = self._name.removeprefix("metrics/")
        if short == run.key_metric:
            return run.key_metric_asc
        if any(part in self._name for part in _DOWN):
            return False
        if any(part in self._name for part in _UP):
            return True
        raise ValueError(f"mode: say max or min, for {short!r} is not known")
