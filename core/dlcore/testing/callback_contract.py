"""The contract of callbacks: they take all that happens, and a resumed one goes on exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcore.interfaces import Callback, RunError
from dlcore.testing.assertions import expect, expect_instance, through_file
from dlcore.testing.fake_run import FakeRun


def check_callback(make: Callable[[], Callback], folder: Path) -> None:
    """Check that a callback takes every event and, resumed after any epoch, goes on as before.

    Args:
        make: Makes the callback, the same one each time.
        folder: An empty folder, of the run that it is told of.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    callback = make()
    what = type(callback).__name__
    expect_instance(callback, Callback, what)
    expect(isinstance(type(callback).order, int), f"{what}: order must be a number of the class")
    whole = FakeRun(folder)
    whole.play(callback)
    callback.on_error(whole, RunError(KeyboardInterrupt()))
    expected = through_file(callback.state_dict(), what)
    for done in range(1, whole.epochs):
        run, first = FakeRun(folder), make()
        run.play(first, done)
        state = through_file(first.state_dict(), what)
        resumed = make()
        resumed.load_state_dict(state)
        again = run.resumed()
        again.play(resumed)
        then = f"{what} resumed after {done} of {whole.epochs} epochs"
        expect(
            _same(through_file(resumed.state_dict(), what), expected),
            f"{then} has another state at the end; state_dict must hold all that it remembers",
        )
        expect(
            _same(dict(again.model.state_dict()), dict(whole.model.state_dict())),
            f"{then} trains to other weights",
        )
        expect(
            _same(again.offered, whole.offered), f"{then} offers other weights than without a stop"
        )
        expect(
            (again.epoch, again.logged) == (whole.epoch, whole.logged),
            f"{then} ends after epoch {again.epoch} and logs {again.logged} instead of epoch "
            f"{whole.epoch} and {whole.logged}",
        )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and bool(torch.equal(one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (one != one and other != other)
