"""A run of a small network on drawn images, for tests of callbacks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from dlcore.interfaces import (
    Batch,
    Callback,
    EpochEnd,
    EpochStart,
    Evaluation,
    RunEnd,
    RunInfo,
    RunStart,
    SnapshotSaved,
    StepEnd,
    TrainingRun,
)
from dlcore.testing.fakes import fake_batch, fake_task


class _Net(nn.Module):
    """Images (B, 3, H, W) to maps (B, 2, H / 4, W / 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.head(self.backbone(images))
        return maps


class FakeRun(TrainingRun):
    """Trains two convolutions for real, on the CPU, and tells one callback all that happens.

    Each epoch has two batches and ends with an evaluation.

    Attributes:
        epoch: Epochs done.
        stopped: The first reason that `stop` was given.
        logged: What was logged, by epoch.
        offered: The last weights and metrics that were offered as a snapshot, by name.

    Args:
        folder: Of the run.
        epochs: In all.
        stage: "pose" or "detector".
    """

    def __init__(self, folder: Path, *, epochs: int = 4, stage: str = "pose") -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = _Net()
        self.info = RunInfo(folder, stage)
        self.task = fake_task(2)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.scheduler = None
        self.device = torch.device("cpu")
        self.epochs = epochs
        self.key_metric, self.key_metric_asc = "test.mAP", True
        self.metric_names = list(self._measured)
        self.epoch = 0
        self.stopped: str | None = None
        self.logged: dict[int, dict[str, float]] = {}
        self.offered: dict[str, tuple[dict[str, Tensor], dict[str, float]]] = {}

    def play(self, callback: Callback, epochs: int | None = None) -> None:
        """Train on, by so many epochs or to the end, and tell the callback."""
        last = self.epochs if epochs is None else min(self.epoch + epochs, self.epochs)
        callback.on_run_start(self, RunStart(self.epoch))
        while self.epoch < last and self.stopped is None:
            number = self.epoch + 1
            self.logged[number] = {}
            self.model.train()
            callback.on_epoch_start(self, EpochStart(number))
            for step, batch in enumerate(self._batches(number), start=1):
                losses = self.step(batch)
                callback.on_step_end(self, StepEnd(number, step, True, losses))
            metrics = self.evaluate()
            callback.on_evaluation(self, Evaluation(number, metrics))
            values = {"losses/train.total_loss": float(losses["total_loss"]), **metrics}
            self.epoch = number
            callback.on_epoch_end(self, EpochEnd(number, values | self.logged[number], True))
            path = self.info.folder / f"snapshot-{number:03d}.pt"
            callback.on_snapshot(self, SnapshotSaved(number, path))
        callback.on_run_end(self, RunEnd(self.epoch, self.stopped))

    def resumed(self) -> FakeRun:
        """A new run that goes on from where this one is, as one that was built from its files."""
        run = FakeRun(self.info.folder, epochs=self.epochs, stage=self.info.stage)
        run.model.load_state_dict(copy.deepcopy(self.model.state_dict()))
        run.optimizer.load_state_dict(copy.deepcopy(self.optimizer.state_dict()))
        run.epoch = self.epoch
        run.logged, run.offered = copy.deepcopy(self.logged), copy.deepcopy(self.offered)
        return run

    def stop(self, reason: str) -> None:
        """Let the epoch under way be the last."""
        self.stopped = self.stopped or reason

    def log(self, values: Mapping[str, float | Tensor]) -> None:
        """Keep them in `logged`."""
        numbers = {name: float(value) for name, value in values.items()}
        self.logged.setdefault(self.epoch + 1, {}).update(numbers)

    def pictures(self) -> dict[str, npt.NDArray[np.uint8]]:
        """One drawn image."""
        image = fake_batch(self.task, (32, 24), 1).images[0]
        return {"images/test.pose": image.permute(1, 2, 0).contiguous().numpy()}

    def training_batches(self) -> Iterator[Batch]:
        """Two for each epoch, without an end."""
        number = self.epoch
        while True:
            number += 1
            yield from self._batches(number)

    def evaluation_batches(self) -> Iterator[Batch]:
        """Always the same one."""
        yield fake_batch(self.task, (32, 32), 2, seed=10_000, normalised=True)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step."""
        loss = self._loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"total_loss": loss.detach()}

    def evaluate(self) -> dict[str, float]:
        """A loss, and metrics that follow from it."""
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            [batch] = self.evaluation_batches()
            loss = float(self._loss(batch))
        self.model.train(was_training)
        return dict(zip(self._measured, (loss, 100 / (1 + loss), 10 * loss), strict=True))

    @contextmanager
    def preserved(self) -> Iterator[None]:
        """Afterwards everything is as before."""
        weights = copy.deepcopy(self.model.state_dict())
        state, training = copy.deepcopy(self.optimizer.state_dict()), self.model.training
        with torch.random.fork_rng(devices=[]):
            try:
                yield
            finally:
                self.model.load_state_dict(weights)
                self.model.zero_grad(set_to_none=True)
                self.model.train(training)
                self.optimizer.load_state_dict(state)

    def set_learning_rate(self, rate: float) -> None:
        """Set it; there is no schedule."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def offer_snapshot(
        self,
        name: str,
        weights: Callable[[], Mapping[str, Tensor]],
        metrics: Mapping[str, float],
    ) -> None:
        """Keep them in `offered`."""
        state = {key: value.clone() for key, value in weights().items()}
        self.offered[name] = (state, dict(metrics))

    _measured = ("losses/eval.total_loss", "metrics/test.mAP", "metrics/test.rmse")

    def _batches(self, number: int) -> Iterator[Batch]:
        for position in range(2):
            seed = 10 * number + position
            yield fake_batch(self.task, (32, 32), 2, seed=seed, normalised=True)

    def _loss(self, batch: Batch) -> Tensor:
        output: Tensor = self.model(batch.images)
        return (output - batch.images[:, :2, ::4, ::4]).square().mean()
