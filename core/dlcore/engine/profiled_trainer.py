"""A trainer that tells where its time goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlcore.data.device import ahead_on_device
from dlcore.data.workers import count_cores
from dlcore.engine.profile_report import PREFIX, Circumstances, advice, draw_profile, epoch_line
from dlcore.engine.profiling import Stopwatch, waiting_for
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.trainer import Trainer
from dlcore.interfaces import Batch
from dlcore.model import PoseModel


class ProfiledTrainer(Trainer):
    """Measures the parts of each epoch, and gives their seconds to the log and the loggers.

    What is measured is wrapped from outside, so that an ordinary training has nothing of it. On a
    GPU each part waits for the device to be done, which takes time of its own.

    Attributes:
        seconds: Of each part, by epoch.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds: dict[int, dict[str, float]] = {}
        self._watch = watch = Stopwatch(waiting_for(self.device))
        watch.wrap(self.runner, "losses", "forward")
        if isinstance(self.runner.model, PoseModel):
            watch.wrap(self.runner.model, "targets", "targets")
            watch.wrap(self.runner.model, "losses", "loss")
        watch.wrap_backward(self.scaler)
        for method in ("unscale_", "step", "update"):
            watch.wrap(self.scaler, method, "optimizer")
        source = self.data.train.source
        if source is not None:
            watch.wrap(source, "load", "augment")
            watch.wrap(source, "decode", "decode")

    def training_batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from one on, on the device."""
        batches = self._watch.over(self.data.train.epoch(epoch, start), "wait")
        on_device = ahead_on_device(
            batches, self.device, self.data.train_normalization, self.memory_format
        )
        return self._watch.over(on_device, "transfer")

    def evaluate(self) -> dict[str, float]:
        """Losses and metrics of the model as it is; nothing if there are no images for it."""
        with self._watch.measure("evaluation"):
            return super().evaluate()

    def _epoch(self) -> None:
        if not self.seconds:
            self._watch.take()  # what came before the first epoch
        super()._epoch()

    def _save(self, metrics: dict[str, float]) -> None:
        with self._watch.measure("snapshots"):
            super()._save(metrics)

    def _tell_loggers(self, values: dict[str, float], step: int) -> None:
        seconds = self.seconds[step] = self._watch.take()
        LOGGER.info(epoch_line(step, seconds))
        numbers = {f"{PREFIX}{part}_s": value for part, value in seconds.items()}
        super()._tell_loggers(values | numbers, step)

    def report(self, table: str, picture: str, prefix: str) -> None:
        """Log one sentence of advice, and draw what the run's table holds of the parts.

        Args:
            table: Name of the table in the run's folder.
            picture: Name of the picture.
            prefix: What the keys of the stage's sections begin with.
        """
        accelerated = self.device.type != "cpu"
        where = Circumstances(self.data.train.workers, count_cores(), accelerated, prefix)
        sentence = advice(self.seconds, where)
        if sentence is None:
            return
        LOGGER.info("profile: %s", sentence)
        if not (self.folder.path / table).is_file():
            return
        try:
            draw_profile(self.folder.path / table, self.folder.path / picture, sentence)
        except (ValueError, OSError) as error:
            LOGGER.warning("the profile was not drawn: %s", error)
