"""How far a prediction is: a bar on a terminal, else a line from time to time."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

if TYPE_CHECKING:
    from dlcore.inference.predicting import PredictionReport

_SECONDS_BETWEEN_LINES = 30.0


class PredictionBar:
    """Shows frames done, frames per second and the time that is left.

    Args:
        name: Of the video or the folder.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar = tqdm(unit=" frames", desc=name, disable=not sys.stderr.isatty(), leave=False)
        self._last = time.monotonic()

    def __enter__(self) -> PredictionBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def __call__(self, report: PredictionReport, expected: int | None) -> None:
        """A few frames more are done."""
        if not self._bar.disable:
            self._bar.total = expected
            self._bar.initial = min(report.frames, report.resumed)  # took no time
            self._bar.update(report.frames - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_LINES or not report.seconds:
            return
        self._last = now
        speed = (report.frames - report.resumed) / report.seconds
        of = f" of {expected}" if expected else ""
        left = max(0, expected - report.frames) / speed if expected and speed else None
        rest = "" if left is None else f", {left:.0f} s left"
        click.echo(
            f"{self._name}: {report.frames}{of} frames, {speed:.1f} frames/s{rest}", err=True
        )
