"""The trainer: epochs, evaluation, snapshots and logging around the training step."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from dlcore.data.device import Normalization, to_device
from dlcore.data.workers import worker_error
from dlcore.engine.dry_run import out_of_memory_advice
from dlcore.engine.interrupt import Interrupt, Interrupted
from dlcore.engine.loop import EpochState, NonFiniteLossError, train_one_epoch
from dlcore.engine.optim import scheduler_step
from dlcore.engine.picture_log import Pictures
from dlcore.engine.precision import Precision
from dlcore.engine.resume import random_state
from dlcore.engine.run_folder import LOGGER, RunFolder
from dlcore.engine.setup import RunData
from dlcore.engine.snapshots import Content, SnapshotManager, save_snapshot
from dlcore.errors import TrainingError
from dlcore.interfaces import Batch, Logger, Runner

PLATEAU_METRIC = "losses/eval.total_loss"
"""What a schedule that waits for a plateau, such as ReduceLROnPlateau, looks at."""

SECONDS_BETWEEN_RESUME_FILES = 300.0
"""A crash loses at most about this much training, beside the epoch it happens in."""


@dataclass
class Schedule:
    """When things happen; from `runner` and `train_settings`."""

    epochs: int
    batch_size: int
    seed: int
    eval_interval: int
    display_iters: int


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: Epochs done.
        state: Of the epoch under way.
        metrics: The last ones measured, with the names of `learning_stats.csv`.
        losses: Of the last epoch, likewise.
    """

    epoch: int = 0
    state: EpochState = field(default_factory=EpochState)
    metrics: dict[str, float] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Trains one model to the end.

    Args:
        runner: What a step and an evaluation are.
        data: The batches.
        optimizer: Holds the model's parameters.
        scheduler: Stepped after each epoch, or after each step if its `interval` says so; or None.
        precision: How the run computes.
        device: Where.
        folder: Where files go.
        snapshots: Which snapshots to keep.
        loggers: Who is told.
        schedule: When things happen.
        manifest: Stored in every snapshot.
        save_optimizer_state: Whether snapshots carry the optimizer too.
        memory_format: Layout of the images on the device.
        resume_file: Name of the file that holds everything it needs to go on exactly.
    """

    def __init__(
        self,
        runner: Runner,
        data: RunData,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler | None,
        *,
        precision: Precision,
        device: torch.device,
        folder: RunFolder,
        snapshots: SnapshotManager,
        loggers: Sequence[Logger],
        schedule: Schedule,
        manifest: Content,
        save_optimizer_state: bool,
        memory_format: torch.memory_format,
        resume_file: str,
    ) -> None:
        self.runner = runner
        self.data = data
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scaler = precision.make_scaler()
        self.device = device
        self.folder = folder
        self.snapshots = snapshots
        self.loggers = list(loggers)
        self.schedule = schedule
        self.manifest = manifest
        self.save_optimizer_state = save_optimizer_state
        self.memory_format = memory_format
        self.resume_file = resume_file
        self.pictures = Pictures(runner, data, device, memory_format, schedule.seed)
        self.progress = Progress()
        self._schedule_by_step = getattr(scheduler, "interval", "epoch") == "step"
        self._saved_at = time.monotonic()

    def fit(self) -> None:
        """Train until `schedule.epochs` epochs are done.

        Raises:
            TrainingError: If the loss stops being finite, memory runs out or the disk is full.
            Interrupted: After Ctrl-C or SIGTERM, when the state is saved.
            KeyboardInterrupt: After a second Ctrl-C, which does not wait and does not save.
        """
        with Interrupt() as interrupt:
            try:
                while self.progress.epoch < self.schedule.epochs:
                    self._epoch(interrupt)
            except Interrupted:
                self.save_resume_file()
                raise
            except RuntimeError as error:  # a dead worker shows wherever the main process is
                clear = worker_error(error)
                if clear is None:
                    raise
                raise clear from error

    def _epoch(self, interrupt: Interrupt) -> None:
        number = self.progress.epoch + 1
        rate = self.optimizer.param_groups[0]["lr"]
        start = time.perf_counter()
        first_step = self.progress.state.step
        self._train(number, interrupt)
        seconds = time.perf_counter() - start
        losses = {f"losses/train.{n}": v for n, v in self.progress.state.means().items()}

        metrics: dict[str, float] = {}
        is_last = number == self.schedule.epochs
        if self.data.evaluation is not None and (
            is_last or number % self.schedule.eval_interval == 0
        ):
            metrics = self._evaluate(interrupt)
        if self.scheduler is not None and not self._schedule_by_step:
            self._step_schedule(metrics, is_last)

        steps = self.progress.state.step - first_step
        self.progress.epoch = number
        self.progress.state = EpochState()
        self.progress.losses = losses
        self.progress.metrics = metrics or self.progress.metrics
        self._save(is_last, metrics)
        self._tell_loggers(losses | metrics, number)
        self.pictures.tell(self.loggers, number, self.tell)
        LOGGER.info(self._epoch_line(number, rate, losses, metrics, steps, seconds))

    def _train(self, number: int, interrupt: Interrupt) -> None:
        state = self.progress.state
        self.runner.model.train()
        total = len(self.data.train)
        with tqdm(
            total=total, initial=state.step, desc=f"epoch {number}", disable=None, leave=False
        ) as bar:

            def after_step(state: EpochState) -> None:
                bar.update()
                if self.scheduler is not None and self._schedule_by_step:
                    scheduler_step(self.scheduler, None)
                if state.step % self.schedule.display_iters == 0:
                    loss = state.means()["total_loss"]
                    LOGGER.info("epoch %d, step %d/%d, loss %.5f", number, state.step, total, loss)
                interrupt.raise_if_asked()

            batches = self._on_device(
                self.data.train.epoch(number, state.step), self.data.train_normalization
            )
            try:
                with out_of_memory_advice(self.schedule.batch_size):
                    train_one_epoch(
                        self.runner,
                        batches,
                        self.optimizer,
                        self.scaler,
                        state=state,
                        after_step=after_step,
                    )
            except NonFiniteLossError as error:
                raise self._explain_non_finite(error, number) from error

    def _evaluate(self, interrupt: Interrupt) -> dict[str, float]:
        assert self.data.evaluation is not None
        batches = self._on_device(self.data.evaluation.epoch(0), self.data.eval_normalization)

        def watched() -> Iterator[Batch]:
            for batch in batches:
                interrupt.raise_if_asked()
                yield batch

        return self.runner.evaluate(watched(), self.data.eval_records)

    def _on_device(self, batches: Iterator[Batch], normalization: Normalization) -> Iterator[Batch]:
        """The batches on the device, the next one under way while one is used."""
        waiting: Batch | None = None
        for batch in batches:
            coming = to_device(batch, self.device, normalization, self.memory_format)
            if waiting is not None:
                yield waiting
            waiting = coming
        if waiting is not None:
            yield waiting

    def _step_schedule(self, metrics: dict[str, float], is_last: bool) -> None:
        assert self.scheduler is not None
        try:
            scheduler_step(self.scheduler, metrics.get(PLATEAU_METRIC))
        except ValueError as error:
            if not is_last:
                raise
            LOGGER.info("the learning-rate schedule ends with this epoch: %s", error)

    def _save(self, is_last: bool, metrics: dict[str, float]) -> None:
        written = self.snapshots.update(
            self.progress.epoch, is_last=is_last, metrics=metrics, content=self.snapshot_content
        )
        overdue = time.monotonic() - self._saved_at > SECONDS_BETWEEN_RESUME_FILES
        if written is not None or overdue:
            self.save_resume_file()

    def snapshot_content(self) -> Content:
        """What a snapshot of this moment holds."""
        content: Content = {
            "metadata": {
                "epoch": self.progress.epoch,
                "metrics": {
                    n: v for n, v in self.progress.metrics.items() if n.startswith("metrics/")
                },
                "losses": {
                    n.removeprefix("losses/"): v
                    for n, v in (self.progress.losses | self.progress.metrics).items()
                    if n.startswith("losses/")
                },
            },
            "model": self.runner.model.state_dict(),
            "dlcore": self.manifest,
        }
        if self.scheduler is not None:
            content["scheduler"] = self.scheduler.state_dict()
        if self.save_optimizer_state:
            content["optimizer"] = self.optimizer.state_dict()
        return content

    def save_resume_file(self) -> None:
        """Write everything that this run needs to go on exactly."""
        state = self.progress.state
        content = self.snapshot_content() | {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rng": random_state(self.device),
            "step": state.step,
            "drawn_from": self.drawn_from(),
            "loss_sums": state.sums,
        }
        save_snapshot(self.folder.path / self.resume_file, content)
        self._saved_at = time.monotonic()

    def drawn_from(self) -> list[int]:
        """What the batches of an epoch depend on: with another, its middle means nothing."""
        return [self.schedule.batch_size, self.schedule.seed, len(self.data.train_records)]

    def _tell_loggers(self, values: dict[str, float], step: int) -> None:
        for logger in list(self.loggers):
            self.tell(logger, lambda logger=logger: logger.log(values, step))  # type: ignore[misc]

    def tell(self, logger: Logger, say: Callable[[], None]) -> None:
        """Let a logger do something; one that fails is dropped with a warning."""
        try:
            say()
        except Exception as error:  # noqa: BLE001  a logger may raise anything
            LOGGER.warning(
                "logger %s failed and is not used any more: %s: %s",
                type(logger).__name__,
                type(error).__name__,
                error,
            )
            self.loggers.remove(logger)

    def _explain_non_finite(self, error: NonFiniteLossError, number: int) -> TrainingError:
        losses = ", ".join(f"{n} {v:g}" for n, v in error.losses.items() if not math.isfinite(v))
        images = [str(self.data.train_records[i].image) for i in error.indices]
        lines = [
            f"the loss is not finite in epoch {number}, step {error.step}"
            + (f": {losses}" if losses else ""),
            *(f"  image: {image}" for image in images),
            "  look at these labels, lower runner.optimizer.params.lr, or set "
            "runner.precision: fp32; the snapshots before this epoch are untouched",
        ]
        return TrainingError("\n".join(lines))

    def _epoch_line(
        self,
        number: int,
        rate: float,
        losses: dict[str, float],
        metrics: dict[str, float],
        steps: int,
        seconds: float,
    ) -> str:
        parts = [
            f"epoch {number}/{self.schedule.epochs} (lr={rate:g})",
            f"train loss {losses['losses/train.total_loss']:.5f}",
        ]
        if "losses/eval.total_loss" in metrics:
            parts.append(f"valid loss {metrics['losses/eval.total_loss']:.5f}")
        parts += [
            f"{name.removeprefix('metrics/')} {value:.2f}"
            for name, value in metrics.items()
            if name.startswith("metrics/")
        ]
        images = min(steps * self.schedule.batch_size, len(self.data.train_records))
        if LOGGER.isEnabledFor(logging.INFO) and seconds > 0:
            parts.append(f"{images / seconds:.1f} images/s")
        return ", ".join(parts)
