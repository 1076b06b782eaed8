from __future__ import annotations

import io

import pytest
import torch

from dlcore.engine.live_view import SECONDS_BETWEEN_LOOKS, LiveView, Pace
from dlcore.engine.loop import EpochState


class Clock:
    """Time that stands still unless it is told to go on."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Loss:
    """A sum of losses on a device; counts how often it is fetched from there."""

    def __init__(self, value):
        self.value = value
        self.looks = 0

    def __float__(self):
        self.looks += 1
        return self.value


@pytest.fixture
def clock():
    return Clock()


def view_on(stream, clock, *, epochs=4, steps=10):
    return LiveView(epochs, steps, 8, lambda: 5e-4, "metrics/test.mAP", stream=stream, clock=clock)


def run_epoch(view, clock, state, *, number=1, steps=10, seconds=1.0):
    view.begin_epoch(number - 1, state.step)
    while state.step < steps:
        clock.now += seconds
        state.step += 1
        view.step(state)
    view.all_steps_done(state)


def test_the_time_left_is_that_of_the_whole_run(clock):
    pace = Pace(4, 10, clock)
    pace.begin(0)
    assert pace.seconds_left(0) is None
    clock.now += 6
    pace.reached(3)
    assert pace.seconds_left(0) == pytest.approx((10 - 3 + 30) * 2)
    assert pace.steps_per_second() == pytest.approx(0.5)


def test_the_time_left_counts_what_comes_after_the_steps(clock):
    pace = Pace(4, 10, clock)
    pace.begin(0)
    clock.now += 20
    pace.reached(10)
    clock.now += 5  # evaluation, snapshots
    pace.end()
    assert pace.seconds_left(1) == pytest.approx(3 * (20 + 5))


def test_the_time_left_of_a_resumed_run_counts_no_steps_that_were_done_before(clock):
    pace = Pace(4, 10, clock)
    pace.begin(8)
    clock.now += 4
    pace.reached(10)
    assert pace.seconds_left(2) == pytest.approx(10 * 2)


def test_a_run_that_changes_its_pace_is_told_by_its_latest_epochs(clock):
    pace = Pace(1000, 10, clock)
    for seconds in [100] * 5 + [10] * 20:
        pace.begin(0)
        clock.now += seconds
        pace.reached(10)
        pace.end()
    assert pace.seconds_left(25) == pytest.approx(975 * 10)


def test_a_terminal_shows_loss_rate_speed_metrics_and_time_left(clock):
    stream = Terminal()
    with view_on(stream, clock) as view:
        state = EpochState(sums={"total_loss": torch.tensor(2.5)})
        run_epoch(view, clock, state)
        view.end_epoch({"metrics/test.rmse": 3.0, "metrics/test.mAP": 81.0}, 90.0)
        view.begin_epoch(1, 0)
    shown = stream.getvalue()

    assert "epoch 1/4" in shown
    assert "loss 0.25000, lr 0.0005, 8.0 images/s" in shown
    assert "00:35 left" in shown
    assert "00:30 left, test.mAP 81.00 (best 90.00), test.rmse 3.00" in shown
    assert shown.count("epoch 2/4") == 1


def test_the_loss_is_read_once_in_a_second_at_most(clock):
    loss = Loss(1.0)
    with view_on(Terminal(), clock, steps=1000) as view:
        run_epoch(view, clock, EpochState(sums={"total_loss": loss}), steps=1000, seconds=0.01)

    assert SECONDS_BETWEEN_LOOKS == 1.0
    assert 9 <= loss.looks <= 10


def test_nothing_is_drawn_nor_read_where_there_is_no_terminal(clock):
    stream, loss = io.StringIO(), Loss(1.0)
    with view_on(stream, clock) as view:
        run_epoch(view, clock, EpochState(sums={"total_loss": loss}), seconds=5.0)
        view.evaluating(1, 3)
        view.end_epoch({}, None)

        assert view.seconds_left() == pytest.approx(150)
    assert (stream.getvalue(), loss.looks) == ("", 0)


def test_an_evaluation_is_shown_and_the_epoch_after_it_again(clock):
    stream = Terminal()
    with view_on(stream, clock) as view:
        state = EpochState(sums={"total_loss": torch.tensor(1.0)})
        run_epoch(view, clock, state)
        clock.now += 2
        view.evaluating(1, 4)
        assert "epoch 1/4: evaluation" in stream.getvalue()
        assert " 25%" in stream.getvalue()
        view.end_epoch({}, None)
        stream.truncate(0)
        view.begin_epoch(1, 5)
        assert "epoch 2/4 " in stream.getvalue()
        assert " 50%" in stream.getvalue()
