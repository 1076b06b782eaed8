"""Which learning rate to train with, found by trying all of them (Smith 2017)."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from dlcore.interfaces import Callback, RunStart, TrainingRun

LOGGER = logging.getLogger("dlcore")

DIVERGED = 4.0
"""The trial ends when the loss is this many times the smallest one."""

FEW = 8
"""With fewer rates before the smallest loss, nothing is suggested."""


class Trial(NamedTuple):
    """One step of the trial.

    Attributes:
        rate: Its learning rate.
        loss: The loss before it.
        smooth: The mean of the losses so far, of which the last ones count most.
    """

    rate: float
    loss: float
    smooth: float


class LearningRateFinder(Callback):
    """Tries learning rates before the first epoch and suggests one.

    The model is trained for some steps while the rate grows exponentially. The loss falls, fastest
    at a rate that is good to train with, and rises in the end. Weights, optimizer and random
    numbers are then as before, so that the run is the same with and without it. The losses go to
    `learning_rates.csv` and `learning_rates.png`, the suggestion into the log. A resumed run does
    not try again.

    Args:
        start: The first rate.
        end: The last rate; the trial ends earlier when the loss grows fourfold.
        steps: How many rates are tried, with one batch each.
        smoothing: How much of the mean loss is kept in each step.
        apply: Whether the run trains with the suggestion. The schedule's rates change in
            proportion, but not those of a list, as of LRListScheduler.
    """

    def __init__(
        self,
        *,
        start: Annotated[float, Field(gt=0)] = 1e-7,
        end: Annotated[float, Field(gt=0)] = 1.0,
        steps: Annotated[int, Field(ge=20)] = 100,
        smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.9,
        apply: bool = False,
    ) -> None:
        if end <= start:
            raise ValueError(f"end must be greater than start, got {end:g} and {start:g}")
        self._rates = np.geomspace(start, end, steps).tolist()
        self._smoothing = smoothing
        self._apply = apply
        self._applied: dict[str, float] = {}

    def on_run_start(self, run: TrainingRun, event: RunStart) -> None:
        """Try, write, suggest."""
        if event.epoch or event.step:
            self._apply_again(run)
            return
        LOGGER.info("trying %d learning rates", len(self._rates))
        trials = self._try(run)
        suggestion = suggest(trials)
        suffix = "_detector" if run.info.stage == "detector" else ""
        table = run.info.folder / f"learning_rates{suffix}.csv"
        _write(table, trials)
        _draw(table.with_suffix(".png"), trials, suggestion)
        now = run.optimizer.param_groups[0]["lr"]
        if suggestion is None:
            LOGGER.warning("no learning rate is suggested: the loss does not fall (%s)", table.name)
            return
        LOGGER.info(
            "learning rate: %.2g is suggested, %.2g is configured (%s)",
            suggestion,
            now,
            table.with_suffix(".png").name,
        )
        if self._apply:
            self._applied = {"configured": now, "rate": suggestion}
            run.set_learning_rate(suggestion)

    def state_dict(self) -> dict[str, Any]:
        """The rate that was applied, and what was configured."""
        return dict(self._applied)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Know the rate that was applied."""
        self._applied = {name: float(value) for name, value in state.items()}

    def _apply_again(self, run: TrainingRun) -> None:
        """A schedule remembers the rate; without one it is that of the config, unless edited."""
        configured = self._applied.get("configured")
        now = run.optimizer.param_groups[0]["lr"]
        if self._apply and run.scheduler is None and configured == now:
            run.set_learning_rate(self._applied["rate"])

    def _try(self, run: TrainingRun) -> list[Trial]:
        trials: list[Trial] = []
        groups = run.optimizer.param_groups
        proportions = [group["lr"] / groups[0]["lr"] for group in groups]
        mean = 0.0
        with run.preserved():
            run.model.train()
            batches = islice(run.training_batches(), len(self._rates))
            for number, (rate, batch) in enumerate(zip(self._rates, batches, strict=True), start=1):
                for group, proportion in zip(run.optimizer.param_groups, proportions, strict=True):
                    group["lr"] = rate * proportion
                loss = float(run.step(batch)["total_loss"])
                mean = self._smoothing * mean + (1 - self._smoothing) * loss
                smooth = mean / (1 - self._smoothing**number)
                if not math.isfinite(loss):
                    break
                trials.append(Trial(rate, loss, smooth))
                if smooth > DIVERGED * min(trial.smooth for trial in trials):
                    break
        return trials


def suggest(trials: Sequence[Trial]) -> float | None:
    """The rate at which the loss falls fastest, None if it does not fall."""
    smooth = np.array([trial.smooth for trial in trials])
    if not len(smooth) or (lowest := int(smooth.argmin())) < FEW:
        return None
    slopes = np.gradient(smooth[: lowest + 1], np.log([t.rate for t in trials[: lowest + 1]]))
    return trials[int(slopes.argmin())].rate


def _write(path: Path, trials: Sequence[Trial]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Trial._fields)
        writer.writerows(trials)


def _draw(path: Path, trials: Sequence[Trial], suggestion: float | None) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    rates = [trial.rate for trial in trials]
    axes.plot(rates, [trial.loss for trial in trials], color="#bbbbbb", linewidth=1, label="loss")
    axes.plot(rates, [trial.smooth for trial in trials], color="#1f6fb4", label="smoothed")
    if suggestion is not None:
        axes.axvline(suggestion, color="#d9641e", linestyle="--", label=f"{suggestion:.2g}")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, format="png", dpi=130)
