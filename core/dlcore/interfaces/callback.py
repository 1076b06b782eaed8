"""Callbacks: what may look on while a model is trained, and have a say in it.

A callback is told of events, small frozen records of what has just happened, and is given the run
itself each time, through which it may stop it, log numbers, save other weights, and so on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dlcore.interfaces.types import Batch, PoseTask, RunInfo

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


@dataclass(frozen=True, slots=True)
class RunStart:
    """Everything is built and tried, and restored where the run is resumed.

    Attributes:
        epoch: Epochs done; 0 for a new run.
        step: Batches done of the next one; above 0 where a run goes on in the middle of an epoch.
    """

    epoch: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class EpochStart:
    """The model is in training mode, and the first batch is about to come.

    Attributes:
        epoch: From 1.
        step: Batches done already: above 0 where a run goes on in the middle of an epoch.
    """

    epoch: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class StepEnd:
    """A batch has gone forward and backward.

    Attributes:
        epoch: From 1.
        step: Of this epoch, from 1.
        updated: Whether the weights have changed: with `runner.accumulate_batches` they do so
            every so many steps.
        losses: Scalars by name, on the device, not scaled. Turning one into a number waits for the
            device: do so once in a while, not in every step.
    """

    epoch: int
    step: int
    updated: bool
    losses: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The model has been evaluated.

    Attributes:
        epoch: From 1.
        metrics: What was measured, with the names of `learning_stats.csv`, such as
            "metrics/test.mAP" and "losses/eval.total_loss".
    """

    epoch: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """An epoch is done, its snapshot not yet written.

    Attributes:
        epoch: From 1.
        values: All numbers of this epoch, with the names of `learning_stats.csv`: losses of the
            training, what was measured if it was, and what callbacks logged.
        evaluated: Whether the model was evaluated in this epoch.
    """

    epoch: int
    values: Mapping[str, float]
    evaluated: bool


@dataclass(frozen=True, slots=True)
class SnapshotSaved:
    """A snapshot has been written.

    Attributes:
        epoch: Epochs trained.
        path: The file.
        name: None for the weights of the model, else the name under which others were offered.
    """

    epoch: int
    path: Path
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RunError:
    """The run ends before its time.

    Attributes:
        error: Why; a `KeyboardInterrupt` after Ctrl-C.
    """

    error: BaseException


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The run ends, well or badly; comes last.

    Attributes:
        epoch: Epochs done.
        stopped: What `TrainingRun.stop` was told, None if nobody stopped the run.
    """

    epoch: int
    stopped: str | None = None


Event = RunStart | EpochStart | StepEnd | Evaluation | EpochEnd | SnapshotSaved | RunError | RunEnd
"""What a callback may be told."""


class TrainingRun(ABC):
    """A run as callbacks see it, and what they may do to it.

    Attributes:
        info: The run's folder and stage.
        task: The names behind the numbers.
        model: What is trained. Its weights may be changed in place.
        optimizer: Holds the model's parameters.
        scheduler: The learning-rate schedule, or None.
        device: Where the model is.
        epochs: Epochs in all, those before a resume counted.
        key_metric: Name of the metric that chooses the best snapshot, for example "test.mAP".
        key_metric_asc: Whether a larger one is better.
        metric_names: What evaluations give, with the names of `learning_stats.csv`; empty if
            nothing is evaluated. A callback that logs metrics of its own adds their names when the
            run starts, for others to find.
    """

    info: RunInfo
    task: PoseTask
    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    device: torch.device
    epochs: int
    key_metric: str
    key_metric_asc: bool
    metric_names: list[str]

    @abstractmethod
    def stop(self, reason: str) -> None:
        """Let the epoch under way be the last; asked before the first one, nothing is trained.

        Args:
            reason: For the log, such as "test.mAP has not risen since epoch 40".
        """
        raise NotImplementedError

    @abstractmethod
    def log(self, values: Mapping[str, float | Tensor]) -> None:
        """Give numbers to the loggers with those of this epoch; the last value of a name counts.

        Args:
            values: By name, for example {"metrics/ema.test.mAP": 90.0}. Tensors of one element are
                turned into numbers when the epoch ends, so that nothing waits for the device.
        """
        raise NotImplementedError

    @abstractmethod
    def pictures(self) -> dict[str, npt.NDArray[np.uint8]]:
        """Pictures (H, W, 3), RGB, of what the model makes of a training and a test image.

        By name, for example "images/test.pose"; the same images throughout a run.
        """
        raise NotImplementedError

    @abstractmethod
    def training_batches(self) -> Iterator[Batch]:
        """Batches as in training, on the device and normalised, epoch after epoch without an end.

        Raises:
            RuntimeError: While an epoch is under way, whose batches this would end.
        """
        raise NotImplementedError

    @abstractmethod
    def evaluation_batches(self) -> Iterator[Batch]:
        """The batches that the model is evaluated on, on the device and normalised; maybe none."""
        raise NotImplementedError

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """One training step: forward, backward, the optimizer. The schedule is left alone.

        Args:
            batch: On the device, normalised.

        Returns:
            Losses by name.
        """
        raise NotImplementedError

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Evaluate the model as it is; what `Evaluation.metrics` holds, empty without images."""
        raise NotImplementedError

    @abstractmethod
    def preserved(self) -> AbstractContextManager[None]:
        """Afterwards everything is as before.

        The model's weights, buffers and mode, the optimizer with its rates, the scaler of the
        precision and the random numbers.
        """
        raise NotImplementedError

    @abstractmethod
    def set_learning_rate(self, rate: float) -> None:
        """Let the training begin with another rate.

        The schedule's other rates change in proportion, unless it has a list of them.

        Args:
            rate: Of the first parameter group; the others keep their proportion to it.
        """
        raise NotImplementedError

    @abstractmethod
    def offer_snapshot(
        self,
        name: str,
        weights: Callable[[], Mapping[str, Tensor]],
        metrics: Mapping[str, float],
    ) -> None:
        """Let the run keep snapshots of other weights beside those of the model.

        They are kept by the same rules, with a best one of their own, as
        `snapshot-<name>-010.pt` and `snapshot-<name>-best-010.pt`. To be called in every epoch.

        Args:
            name: Letters, digits and underscores.
            weights: Gives a state dict of the model; called only when a snapshot is written.
            metrics: What was measured of these weights in this epoch, with the names that
                evaluations give; empty if nothing was.
        """
        raise NotImplementedError


class Callback:
    """Is told what happens in a run, and may have a say in it.

    A subclass takes no positional parameters; what YAML may set is keyword-only. Each method is
    told of one event; those that are not overridden cost nothing. A callback that raises is
    warned about once and dropped: training goes on. Only a `ValueError` from `on_run_start` ends
    the run, before its first epoch: so options are refused that do not fit the run.

    An epoch that was interrupted starts again where the run is resumed: `on_epoch_start` comes
    twice then, and so does `on_evaluation` if the interruption came after it.

    Attributes:
        order: Callbacks are told in ascending order, and those of one order as in the file.
    """

    order: ClassVar[int] = 0

    def on_run_start(self, run: TrainingRun, event: RunStart) -> None:
        """Before the first epoch, after `load_state_dict` where the run is resumed.

        Raises:
            ValueError: If an option does not fit this run; the message begins with its name.
        """

    def on_epoch_start(self, run: TrainingRun, event: EpochStart) -> None:
        """Before the first batch of an epoch."""

    def on_step_end(self, run: TrainingRun, event: StepEnd) -> None:
        """After each batch."""

    def on_evaluation(self, run: TrainingRun, event: Evaluation) -> None:
        """After each evaluation."""

    def on_epoch_end(self, run: TrainingRun, event: EpochEnd) -> None:
        """After each epoch, before its snapshot is written."""

    def on_snapshot(self, run: TrainingRun, event: SnapshotSaved) -> None:
        """After a snapshot was written."""

    def on_error(self, run: TrainingRun, event: RunError) -> None:
        """After something ended the run before its time."""

    def on_run_end(self, run: TrainingRun, event: RunEnd) -> None:
        """Last, however the run ended."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to go on exactly, as plain types and tensors."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; tensors are on the CPU."""
