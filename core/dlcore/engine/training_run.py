"""The run as callbacks see it: a narrow way to a trainer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from dlcore.engine.dry_run import untouched
from dlcore.engine.loop import update
from dlcore.engine.pictures import Image
from dlcore.interfaces import Batch, RunInfo, TrainingRun

if TYPE_CHECKING:
    from dlcore.engine.trainer import Trainer

_RATES = ("lr", "initial_lr", "max_lr", "min_lr")
"""What schedules of torch keep of rates in the parameter groups."""


class TrainerView(TrainingRun):
    """What a trainer lets callbacks see and do.

    Args:
        trainer: The trainer.
        info: The run's folder and stage.
        metric_names: What evaluations give.
    """

    def __init__(self, trainer: Trainer, info: RunInfo, metric_names: Iterable[str]) -> None:
        self._trainer = trainer
        self.info = info
        self.task = trainer.data.task
        self.model = trainer.runner.model
        self.optimizer = trainer.optimizer
        self.scheduler = trainer.scheduler
        self.device = trainer.device
        self.epochs = trainer.schedule.epochs
        self.key_metric = trainer.snapshots.key_metric.removeprefix("metrics/")
        self.key_metric_asc = trainer.snapshots.ascending
        self.metric_names = list(metric_names)

    def stop(self, reason: str) -> None:
        """Let the epoch under way be the last."""
        progress = self._trainer.progress
        progress.stopped = progress.stopped or reason

    def log(self, values: Mapping[str, float | Tensor]) -> None:
        """Give numbers to the loggers with those of this epoch."""
        detached = {n: v.detach() if isinstance(v, Tensor) else v for n, v in values.items()}
        self._trainer.progress.logged.update(detached)

    def pictures(self) -> dict[str, Image]:
        """Pictures of what the model makes of some images."""
        return self._trainer.pictures.take()

    def training_batches(self) -> Iterator[Batch]:
        """Batches as in training, epoch after epoch."""
        trainer = self._trainer
        if trainer.in_epoch:
            raise RuntimeError("the batches of an epoch under way are not to be had")
        for number in count(trainer.progress.epoch + 1):
            yield from trainer.training_batches(number)

    def evaluation_batches(self) -> Iterator[Batch]:
        """The batches that the model is evaluated on."""
        return self._trainer.evaluation_batches()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step."""
        trainer = self._trainer
        trainer.interrupt.raise_if_asked()
        losses = trainer.runner.losses(batch)
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer.scaler.scale(losses["total_loss"]).backward()
        update(trainer.optimizer, trainer.scaler, trainer.schedule.max_gradient_norm)
        return {name: value.detach() for name, value in losses.items()}

    def evaluate(self) -> dict[str, float]:
        """Evaluate the model as it is."""
        return self._trainer.evaluate()

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Afterwards everything is as before."""
        trainer = self._trainer
        optimizer, scaler = trainer.optimizer, trainer.scaler
        weights = [(p, p.detach().clone()) for p in self.model.parameters()]
        state = copy.deepcopy(optimizer.state_dict())
        scale = copy.deepcopy(scaler.state_dict())
        with untouched(self.model, self.device):
            try:
                yield
            finally:
                with torch.no_grad():
                    for parameter, value in weights:
                        parameter.copy_(value)
                optimizer.load_state_dict(state)
                scaler.load_state_dict(scale)

    def set_learning_rate(self, rate: float) -> None:
        """Let the training begin with another rate."""
        groups = self.optimizer.param_groups
        factor = rate / groups[0]["lr"]
        for group in groups:
            group.update({name: group[name] * factor for name in _RATES if name in group})
        if self.scheduler is not None:
            _scale(self.scheduler, factor)

    def offer_snapshot(
        self,
        name: str,
        weights: Callable[[], Mapping[str, Tensor]],
        metrics: Mapping[str, float],
    ) -> None:
        """Let the run keep snapshots of other weights beside those of the model."""
        self._trainer.offers.add(name, weights, metrics)


def _scale(scheduler: Any, factor: float) -> None:
    """Multiply the rates that a schedule of torch keeps, and those of its parts."""
    for name in ("base_lrs", "_last_lr"):
        if hasattr(scheduler, name):
            setattr(scheduler, name, [rate * factor for rate in getattr(scheduler, name)])
    for part in getattr(scheduler, "_schedulers", ()):
        if isinstance(part, LRScheduler):
            _scale(part, factor)
