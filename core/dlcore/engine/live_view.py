"""What a terminal shows while a model trains: how it goes, and when it will be done.

Two lines stand below what is logged, one about the epoch and one about the run. Where the output is
no terminal there is nothing but what is logged.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import IO, Any

from tqdm import tqdm

from dlcore.engine.loop import EpochState

SECONDS_BETWEEN_LOOKS = 1.0
"""The view changes no more often. Each look at the loss waits for the device."""

_EPOCHS_REMEMBERED = 20
_METRICS_SHOWN = 3
_BAR = "{desc} |{bar:16}| {percentage:3.0f}%{postfix}"


class Pace:
    """How fast a run goes, as measured in its latest epochs.

    Args:
        epochs: In all.
        steps: Of one epoch.
        clock: Gives seconds.
    """

    def __init__(self, epochs: int, steps: int, clock: Callable[[], float] = time.monotonic):
        self._epochs = epochs
        self._steps = steps
        self._clock = clock
        self._former: deque[tuple[float, int, float]] = deque(maxlen=_EPOCHS_REMEMBERED)
        self._begun, self._trained = clock(), 0.0
        self._first, self._now = 0, 0

    def begin(self, step: int) -> None:
        """An epoch begins, of which some steps are done already."""
        self._begun, self._trained = self._clock(), 0.0
        self._first = self._now = step

    def reached(self, step: int) -> None:
        """So many steps of the epoch are done, the latest just now."""
        self._now, self._trained = step, self._clock() - self._begun

    def end(self) -> None:
        """The epoch has ended, with all that comes after its last step."""
        after = self._clock() - self._begun - self._trained
        self._former.append((self._trained, self._now - self._first, after))
        self._first, self._trained, self._now = 0, 0.0, 0

    def steps_per_second(self) -> float | None:
        """Of the epoch under way; None if it has made none."""
        steps = self._now - self._first
        return steps / self._trained if steps and self._trained > 0 else None

    def seconds_left(self, epochs_done: int) -> float | None:
        """Until the last epoch has ended; None if nothing was measured yet.

        Args:
            epochs_done: Without the epoch under way.
        """
        trained = self._trained + sum(seconds for seconds, _, _ in self._former)
        steps = self._now - self._first + sum(count for _, count, _ in self._former)
        if not steps:
            return None
        after = sum(seconds for _, _, seconds in self._former) / max(len(self._former), 1)
        epochs = max(self._epochs - epochs_done, 0)
        return (epochs * self._steps - self._now) * trained / steps + epochs * after


class LiveView:
    """Two lines on a terminal, about the epoch and about the run.

    It costs a comparison for each step; the loss is read off the device once in a second at most.

    Args:
        epochs: In all.
        steps: Of one epoch.
        batch_size: Images in a step.
        rate: Gives the learning rate.
        key_metric: The metric to show first.
        stream: Where to draw; stderr by default. Nothing is drawn if it is no terminal.
        clock: Gives seconds.
    """

    def __init__(
        self,
        epochs: int,
        steps: int,
        batch_size: int,
        rate: Callable[[], float],
        key_metric: str,
        *,
        stream: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs = epochs
        self._steps = steps
        self._batch_size = batch_size
        self._rate = rate
        self._key_metric = key_metric
        self._stream = stream
        self._clock = clock
        self._pace = Pace(epochs, steps, clock)
        self._bars: tuple[Any, Any] | None = None
        self._looked = clock()
        self._done = 0
        self._loss: float | None = None
        self._measured = ""

    def __enter__(self) -> LiveView:
        stream = self._stream or sys.stderr
        is_first = os.environ.get("RANK", "0") == "0"  # of processes that train together
        if stream.isatty() and is_first:
            options: dict[str, Any] = {"file": stream, "leave": False, "dynamic_ncols": True}
            options["bar_format"] = _BAR
            self._bars = (
                tqdm(total=self._steps, desc="epoch", position=0, **options),
                tqdm(total=self._epochs * self._steps, desc="run", position=1, **options),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for bar in reversed(self._bars or ()):
            bar.close()
        self._bars = None

    def begin_epoch(self, epochs_done: int, step: int) -> None:
        """An epoch begins, or goes on after a step."""
        self._done, self._loss = epochs_done, None
        self._pace.begin(step)
        self._draw(step)

    def step(self, state: EpochState) -> None:
        """A step is done."""
        if self._bars is None or not self._is_time():
            return
        self._pace.reached(state.step)
        self._loss = float(state.sums["total_loss"]) / max(state.step, 1)
        self._draw(state.step)

    def all_steps_done(self, state: EpochState) -> None:
        """The epoch was trained; what follows is evaluation and the like."""
        self._pace.reached(state.step)

    def evaluating(self, batches_done: int, batches: int) -> None:
        """So many batches of an evaluation are done."""
        if self._bars is not None and self._is_time():
            bar = self._bars[0]
            bar.total, bar.n = batches, batches_done
            bar.set_description_str(f"{self._name()}: evaluation", refresh=False)
            bar.set_postfix_str("", refresh=False)
            bar.refresh()

    def end_epoch(self, metrics: Mapping[str, float], best: float | None) -> None:
        """An epoch has ended, with all that comes after its steps.

        Args:
            metrics: What was measured, with the names of `learning_stats.csv`; empty if nothing.
            best: The key metric of the best snapshot.
        """
        self._done += 1
        self._pace.end()
        if metrics:
            self._measured = self._in_words(metrics, best)

    def seconds_left(self) -> float | None:
        """Until the last epoch has ended; None if it is not known yet."""
        return self._pace.seconds_left(self._done)

    def _is_time(self) -> bool:
        now = self._clock()
        if now - self._looked < SECONDS_BETWEEN_LOOKS:
            return False
        self._looked = now
        return True

    def _name(self) -> str:
        return f"epoch {self._done + 1}/{self._epochs}"

    def _draw(self, step: int) -> None:
        if self._bars is None:
            return
        left, speed = self.seconds_left(), self._pace.steps_per_second()
        epoch = [f"loss {self._loss:.5f}"] if self._loss is not None else []
        epoch.append(f"lr {self._rate():.3g}")
        if speed is not None:
            epoch.append(f"{speed * self._batch_size:.1f} images/s")
        run = [] if left is None else [f"{tqdm.format_interval(left)} left"]
        run += [self._measured] if self._measured else []
        texts = (self._name(), ", ".join(epoch)), ("run", ", ".join(run))
        done = (step, self._done * self._steps + step)
        totals = (self._steps, self._epochs * self._steps)
        width = len(self._name())
        for bar, (name, text), n, total in zip(self._bars, texts, done, totals, strict=True):
            bar.n, bar.total = n, total
            bar.set_description_str(name.ljust(width), refresh=False)
            bar.set_postfix_str(text, refresh=False)
            bar.refresh()

    def _in_words(self, metrics: Mapping[str, float], best: float | None) -> str:
        names = [n for n, v in metrics.items() if n.startswith("metrics/") and math.isfinite(v)]
        names.sort(key=lambda name: name != self._key_metric)
        texts = [f"{n.removeprefix('metrics/')} {metrics[n]:.2f}" for n in names[:_METRICS_SHOWN]]
        if best is not None and names[:1] == [self._key_metric]:
            texts[0] += f" (best {best:.2f})"
        return ", ".join(texts)
