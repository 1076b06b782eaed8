"""Weights that are averaged over the steps of a training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from dlcore.interfaces import Callback, EpochEnd, Evaluation, RunStart, StepEnd, TrainingRun

NAME = "ema"


class ExponentialMovingAverage(Callback):
    """Averages the weights over time; evaluates and keeps them beside the raw ones.

    After each step `average = decay * average + (1 - decay) * weights`, batch-norm statistics
    included. Averaged weights are steadier than those of any one step, and often a little better.
    They are evaluated whenever the model is, as `ema.test.mAP` and so on, and saved as
    `snapshot-ema-010.pt` and `snapshot-ema-best-010.pt` by the rules of the other snapshots.

    Args:
        decay: How much of the average is kept in each step; about `1 / (1 - decay)` steps count.
        warm_up: Whether it begins with a smaller decay, `(1 + steps) / (10 + steps)`, so that the
            first weights are soon forgotten.
        evaluate: Whether the averaged weights are evaluated, which takes as long as evaluating the
            model; without it they have no best snapshot.
    """

    order = -50

    def __init__(
        self,
        *,
        decay: Annotated[float, Field(gt=0, lt=1)] = 0.999,
        warm_up: bool = True,
        evaluate: bool = True,
    ) -> None:
        self._decay = decay
        self._warm_up = warm_up
        self._evaluate = evaluate
        self._steps = 0
        self._saved: Mapping[str, Tensor] | None = None
        self._names: list[str] = []
        self._live: list[Tensor] = []
        self._averages: list[Tensor] = []
        self._metrics: dict[str, float] = {}

    def on_run_start(self, run: TrainingRun, event: RunStart) -> None:
        """Begin with the weights as they are, or go on with the average that was saved.

        Raises:
            KeyError: If the saved average is one of another model.
        """
        state = run.model.state_dict()
        self._names = [name for name, value in state.items() if value.is_floating_point()]
        self._live = [state[name] for name in self._names]
        self._averages = [value.clone() for value in self._live]
        if self._saved is not None:
            for name, average in zip(self._names, self._averages, strict=True):
                average.copy_(self._saved[name])
            self._saved = None
        if self._evaluate:
            run.metric_names += [_renamed(name) for name in list(run.metric_names)]

    @torch.no_grad()
    def on_step_end(self, run: TrainingRun, event: StepEnd) -> None:
        """Move the average towards the weights."""
        if not event.updated:
            return
        self._steps += 1
        decay = self._decay
        if self._warm_up:
            decay = min(decay, (1 + self._steps) / (10 + self._steps))
        get_ema_multi_avg_fn(decay)(self._averages, self._live, self._steps)

    def on_evaluation(self, run: TrainingRun, event: Evaluation) -> None:
        """Evaluate the average too."""
        if not self._evaluate:
            return
        with self._swapped():
            self._metrics = run.evaluate()
        run.log({_renamed(name): value for name, value in self._metrics.items()})

    def on_epoch_end(self, run: TrainingRun, event: EpochEnd) -> None:
        """Offer the average for a snapshot."""

        def weights() -> dict[str, Tensor]:
            averages = dict(zip(self._names, self._averages, strict=True))
            return {**run.model.state_dict(), **averages}

        run.offer_snapshot(NAME, weights, self._metrics)
        self._metrics = {}

    def state_dict(self) -> dict[str, Any]:
        """The average, and of how many steps it is."""
        if self._saved is not None:
            return {"steps": self._steps, "weights": dict(self._saved)}
        weights = dict(zip(self._names, self._averages, strict=True))
        return {"steps": self._steps, "weights": weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved average, as soon as the run starts."""
        self._steps = int(state["steps"])
        self._saved = dict(state["weights"]) or None

    @contextmanager
    def _swapped(self) -> Iterator[None]:
        """The model with the average for weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for live, average in zip(self._live, self._averages, strict=True):
            kept = live.clone()
            live.copy_(average)
            average.copy_(kept)


def _renamed(name: str) -> str:
    """The name of a number of the average: of "metrics/test.mAP" "metrics/ema.test.mAP"."""
    kind, _, rest = name.partition("/")
    return f"{kind}/{NAME}.{rest}"
