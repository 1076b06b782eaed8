"""The trainer: epochs, evaluation, snapshots and logging around the training step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcore.data.device import ahead_on_device
from dlcore.data.workers import worker_error
from dlcore.engine.callbacks import Callbacks
from dlcore.engine.distributed import ALONE, World
from dlcore.engine.dry_run import memory_for
from dlcore.engine.groups import Groups
from dlcore.engine.interrupt import Interrupt, Interrupted
from dlcore.engine.live_view import LiveView
from dlcore.engine.loop import EpochState, NonFiniteLossError, train_one_epoch
from dlcore.engine.offers import Offers
from dlcore.engine.optim import scheduler_step
from dlcore.engine.picture_log import Pictures
from dlcore.engine.precision import Precision
from dlcore.engine.progress import Progress, Schedule
from dlcore.engine.reports import epoch_line, explain_non_finite
from dlcore.engine.resume import random_state
from dlcore.engine.run_folder import LOGGER, RunFolder
from dlcore.engine.setup import RunData
from dlcore.engine.snapshots import Content, SnapshotManager, save_snapshot
from dlcore.errors import TrainingError
from dlcore.interfaces import (
    Batch,
    EpochEnd,
    EpochStart,
    Evaluation,
    Logger,
    RunEnd,
    Runner,
    RunStart,
    SnapshotSaved,
    StepEnd,
)

PLATEAU_METRIC = "losses/eval.total_loss"
"""What a schedule that waits for a plateau, such as ReduceLROnPlateau, looks at."""

SECONDS_BETWEEN_RESUME_FILES = 300.0
"""A crash loses at most about this much training, beside the epoch it happens in."""


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
        world: The processes that train together. The first one writes snapshots; loggers and the
            view are its own.

    Attributes:
        callbacks: Who is told of events; nobody at first.
        interrupt: Says whether the user wants to stop.
        view: What a terminal shows.
        in_epoch: Whether the batches of an epoch are being drawn or evaluated.
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
        world: World = ALONE,
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
        self.world = world
        self.pictures = Pictures(runner, data, device, memory_format, schedule.seed)
        self.progress = Progress()
        self.callbacks = Callbacks()
        self.offers = Offers(snapshots)
        self.interrupt = Interrupt()
        self.view = LiveView(
            schedule.epochs,
            len(data.train),
            schedule.batch_size * world.size,
            lambda: float(optimizer.param_groups[0]["lr"]),
            snapshots.key_metric,
        )
        self.in_epoch = False
        self.groups = Groups(
            schedule.accumulate_batches,
            schedule.batch_size,
            len(data.train_records) // world.size,
        )
        self._schedule_by_step = getattr(scheduler, "interval", "epoch") == "step"
        self._saved_at = time.monotonic()
        self._own_forward = getattr(runner, "forward", None)
        self._trained: list[bool] = []

    def fit(self) -> None:
        """Train until `schedule.epochs` epochs are done, or a callback stops the run.

        Raises:
            TrainingError: If the loss stops being finite, memory runs out or the disk is full.
            ConfigError: If a callback refuses an option.
            Interrupted: After Ctrl-C or SIGTERM, when the state is saved.
            KeyboardInterrupt: After a second Ctrl-C, which does not wait and does not save.
        """
        with self.view, self.interrupt, self.callbacks.until_the_end(self._end):
            try:
                self.callbacks.tell(RunStart(self.progress.epoch, self.progress.state.step))
                while not self._is_last(self.progress.epoch):
                    self._epoch()
            except Interrupted:
                self.save_resume_file()
                raise
            except RuntimeError as error:  # a dead worker shows wherever the main process is
                clear = worker_error(error)
                if clear is None:
                    raise
                raise clear from error

    def _end(self) -> RunEnd:
        return RunEnd(self.progress.epoch, self.progress.stopped)

    def _is_last(self, epoch: int) -> bool:
        return epoch >= self.schedule.epochs or self.progress.stopped is not None

    def _epoch(self) -> None:
        number = self.progress.epoch + 1
        rate = self.optimizer.param_groups[0]["lr"]
        start = time.perf_counter()
        first_step = self.progress.state.step
        self.in_epoch = True
        self._train(number)
        seconds = time.perf_counter() - start
        steps = self.progress.state.step - first_step
        means = self.world.mean(self.progress.state.means())
        losses = {f"losses/train.{n}": v for n, v in means.items()}

        metrics: dict[str, float] = {}
        is_last = self._is_last(number)
        if self.data.evaluation is not None and (
            is_last or number % self.schedule.eval_interval == 0
        ):
            metrics = self.evaluate()
            self.callbacks.tell(Evaluation(number, metrics))
        if self.scheduler is not None and not self._schedule_by_step:
            self._step_schedule(metrics, is_last)

        self.in_epoch = False
        self.progress.epoch = number
        self.progress.state = EpochState()
        self.progress.losses = losses
        self.progress.metrics = metrics or self.progress.metrics
        values = losses | metrics | self._numbers_logged()
        self.callbacks.tell(EpochEnd(number, values, bool(metrics)))
        self.progress.stopped = self.world.of_first(self.progress.stopped)
        values |= self._numbers_logged()
        self.progress.logged.clear()
        self._save(metrics)
        self._tell_loggers(values, number)
        self.pictures.tell(self.loggers, number, self.tell)
        in_steps = steps * self.schedule.batch_size * self.world.size
        images = min(in_steps, len(self.data.train_records))
        speed = images / seconds if seconds > 0 else 0.0
        measured = {n: v for n, v in values.items() if n not in losses}
        self.view.end_epoch(metrics, self.snapshots.best)
        left = None if self._is_last(number) else self.view.seconds_left()
        line = epoch_line(number, self.schedule.epochs, rate, losses, measured, speed, left)
        LOGGER.info(line)

    def _train(self, number: int) -> None:
        state = self.progress.state
        self.world.vary_randomness(self.schedule.seed, number, state.step)
        self.runner.model.train()
        self.callbacks.tell(EpochStart(number, state.step))
        self._join_gradients()
        tell_of_steps = self.callbacks.listen_to(StepEnd)
        total = len(self.data.train)
        self.view.begin_epoch(number - 1, state.step)

        def after_step(state: EpochState, losses: dict[str, Tensor]) -> None:
            self.view.step(state)
            if self.scheduler is not None and self._schedule_by_step and state.updated:
                scheduler_step(self.scheduler, None)
            if tell_of_steps:
                self.callbacks.tell(StepEnd(number, state.step, state.updated, losses))
            if state.step % self.schedule.display_iters == 0:
                loss = state.means()["total_loss"]
                LOGGER.info("epoch %d, step %d/%d, loss %.5f", number, state.step, total, loss)
            # gradients of an unfinished group are not saved
            if state.updated and self.world.any(self.interrupt.asked):
                raise Interrupted

        try:
            with memory_for(self.schedule.batch_size):
                train_one_epoch(
                    self.runner,
                    self.training_batches(number, state.step),
                    self.optimizer,
                    self.scaler,
                    state=state,
                    after_step=after_step,
                    groups=self.groups,
                    max_norm=self.schedule.max_gradient_norm,
                )
        except NonFiniteLossError as error:
            raise explain_non_finite(error, number, self.data.train_records) from error
        self.view.all_steps_done(state)

    def evaluate(self) -> dict[str, float]:
        """Losses and metrics of the model as it is; nothing if there are no images for it."""

        def watched() -> Iterator[Batch]:
            for number, batch in enumerate(self.evaluation_batches()):
                # after an epoch its end is to be saved first; processes stop after the same step
                if self.in_epoch and self.world.size == 1:
                    self.interrupt.raise_if_asked()
                self.view.evaluating(number, total)
                yield batch

        if self.data.evaluation is None:
            return {}
        total = len(self.data.evaluation)
        return self.runner.evaluate(watched(), self.data.eval_records, self.world.gather)

    def training_batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from one on, on the device."""
        batches = self.data.train.epoch(epoch, start)
        return ahead_on_device(
            batches, self.device, self.data.train_normalization, self.memory_format
        )

    def evaluation_batches(self) -> Iterator[Batch]:
        """What the model is evaluated on, on the device."""
        batches = self.data.evaluation.epoch(0) if self.data.evaluation is not None else iter(())
        return ahead_on_device(
            batches, self.device, self.data.eval_normalization, self.memory_format
        )

    def _numbers_logged(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.progress.logged.items()}

    def _step_schedule(self, metrics: dict[str, float], is_last: bool) -> None:
        assert self.scheduler is not None
        try:
            scheduler_step(self.scheduler, metrics.get(PLATEAU_METRIC))
        except ValueError as error:
            if not is_last:
                raise
            LOGGER.info("the learning-rate schedule ends with this epoch: %s", error)

    def _join_gradients(self) -> None:
        """Let all processes take the same steps, each with its part of a batch.

        Done anew when callbacks have chosen other weights to be trained.
        """
        trained = [parameter.requires_grad for parameter in self.runner.model.parameters()]
        if self.world.size == 1 or trained == self._trained:
            return
        if self._own_forward is None:
            name = type(self.runner).__name__
            raise TrainingError(
                f"{name} cannot train in several processes, as its losses do not call `forward`; "
                f"use one process, or tell its author"
            )
        groups = self.optimizer.param_groups
        rates = self.world.of_first([group["lr"] for group in groups])
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        self.runner.forward = self.world.join_gradients(
            self._own_forward, self.device, unused=self.runner.some_weights_idle
        )
        self._trained = trained

    def _save(self, metrics: dict[str, float]) -> None:
        if not self.world.is_first:
            return
        epoch = self.progress.epoch
        is_last = self._is_last(epoch)
        own = self.snapshots.update(
            epoch, is_last=is_last, metrics=metrics, content=self.snapshot_content
        )
        written: list[tuple[str | None, Path]] = [(None, own)] if own is not None else []
        written += self.offers.write(epoch, is_last=is_last, content=self.snapshot_content)
        for name, path in written:
            self.callbacks.tell(SnapshotSaved(epoch, path, name))
        overdue = time.monotonic() - self._saved_at > SECONDS_BETWEEN_RESUME_FILES
        if written or overdue:
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
        if not self.world.is_first:
            return
        state = self.progress.state
        content = self.snapshot_content() | {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "rng": random_state(self.device),
            "step": state.step,
            "drawn_from": self.drawn_from(),
            "loss_sums": state.sums,
            "logged": self._numbers_logged(),
            "callbacks": self.callbacks.state_dict(),
        }
        save_snapshot(self.folder.path / self.resume_file, content)
        self._saved_at = time.monotonic()

    def drawn_from(self) -> list[int]:
        """What the batches of an epoch depend on: with another, its middle means nothing."""
        schedule, images = self.schedule, len(self.data.train_records)
        batch_size = schedule.batch_size * self.world.size
        return [batch_size, schedule.seed, images, schedule.accumulate_batches]

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
