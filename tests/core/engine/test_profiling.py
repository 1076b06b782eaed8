from __future__ import annotations

import threading

import pytest
import torch

from dlcore.engine.profiling import PARTS, Stopwatch, waiting_for


class Clock:
    """Goes on only when told to; waiting for the device takes no time, but is counted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.settled = 0

    def __call__(self) -> float:
        return self.now

    def settle(self) -> None:
        self.settled += 1

    def spend(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Stopwatch:
    return Stopwatch(clock.settle, clock)


def measured(watch: Stopwatch) -> dict[str, float]:
    return {part: seconds for part, seconds in watch.take().items() if seconds}


def test_all_parts_together_are_the_time_that_passed(watch: Stopwatch, clock: Clock) -> None:
    clock.spend(1)
    with watch.measure("forward"):
        clock.spend(2)
        with watch.measure("targets"):
            clock.spend(4)
        clock.spend(8)
    clock.spend(16)
    seconds = watch.take()
    assert tuple(seconds) == PARTS
    assert {p: s for p, s in seconds.items() if s} == {"forward": 10, "targets": 4, "other": 17}
    assert measured(watch) == {}


def test_a_part_counts_only_where_it_belongs(watch: Stopwatch, clock: Clock) -> None:
    with watch.measure("evaluation"), watch.measure("targets"):
        clock.spend(1)
    with watch.measure("snapshots"), watch.measure("evaluation"):
        clock.spend(2)
    with watch.measure("loss"):
        clock.spend(4)
    assert measured(watch) == {"evaluation": 1, "snapshots": 2, "other": 4}


def test_it_waits_for_the_device_before_and_after_each_part(watch: Stopwatch, clock: Clock) -> None:
    with watch.measure("forward"):
        assert clock.settled == 1
    assert clock.settled == 2


def test_what_fails_ends_its_part(watch: Stopwatch, clock: Clock) -> None:
    def fail() -> None:
        clock.spend(1)
        raise KeyError

    with pytest.raises(KeyError), watch.measure("optimizer"):
        fail()
    clock.spend(2)
    assert measured(watch) == {"optimizer": 1, "other": 2}


def test_getting_items_is_measured_and_using_them_is_not(watch: Stopwatch, clock: Clock) -> None:
    def items():
        for number in range(3):
            clock.spend(1)
            yield number
        clock.spend(1)

    for _ in watch.over(watch.over(items(), "wait"), "transfer"):
        clock.spend(10)
    assert measured(watch) == {"wait": 4, "other": 30}


def test_other_threads_are_left_alone(watch: Stopwatch, clock: Clock) -> None:
    def elsewhere() -> None:
        with watch.measure("evaluation"):
            clock.spend(1)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert measured(watch) == {"other": 1}


def test_the_backward_pass_of_a_scaled_loss_is_measured(watch: Stopwatch, clock: Clock) -> None:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    watch.wrap_backward(scaler)
    weight = torch.ones(1, requires_grad=True)
    weight.register_hook(lambda _: clock.spend(3))
    scaler.scale(weight.sum()).backward()
    assert weight.grad is not None
    assert measured(watch) == {"backward": 3}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_on_a_gpu_a_part_lasts_until_the_device_has_done_it() -> None:
    matrix = torch.rand(4096, 4096, device="cuda")
    matrix @ matrix  # warms up
    watch = Stopwatch(waiting_for(matrix.device))
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with watch.measure("forward"):
        start.record()
        for _ in range(20):
            matrix = matrix @ matrix
        end.record()
    assert watch.take()["forward"] >= 0.9 * start.elapsed_time(end) / 1000
