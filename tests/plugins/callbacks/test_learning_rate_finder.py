"""The finder of learning rates: what it tries, suggests, writes, and leaves as it was."""

import csv
import logging

import pytest
import torch

from dlcore.interfaces import Callback, RunStart
from dlcore.testing import FakeRun
from dlcore_plugins.callbacks.learning_rate_finder import LearningRateFinder, Trial, suggest


def valley(rate):
    """A loss that falls fastest at 1e-3 and rises beyond 1e-1."""
    exponent = torch.tensor(rate).log10()
    return float(2 - torch.sigmoid(4 * (exponent + 3)) + (rate > 0.2) * rate * 50)


def trials(losses):
    rates = torch.logspace(-6, 0, len(losses)).tolist()
    return [Trial(rate, loss, loss) for rate, loss in zip(rates, losses, strict=True)]


def test_the_rate_at_which_the_loss_falls_fastest_is_suggested():
    found = trials([valley(rate) for rate in torch.logspace(-6, 0, 61).tolist()])
    assert suggest(found) == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize("losses", [[], [1.0], [float(i) for i in range(30)]])
def test_nothing_is_suggested_where_the_loss_does_not_fall(losses):
    assert suggest(trials(losses)) is None


def test_a_run_is_the_same_with_and_without_it(tmp_path):
    torch.manual_seed(1)
    run, plain = FakeRun(tmp_path, epochs=2), FakeRun(tmp_path, epochs=2)
    random = torch.get_rng_state()
    run.play(LearningRateFinder(steps=30))
    assert torch.equal(torch.get_rng_state(), random)
    plain.play(Callback())

    for name, value in run.model.state_dict().items():
        assert torch.equal(value, plain.model.state_dict()[name]), name
    assert run.optimizer.param_groups[0]["lr"] == 1e-3


def test_it_writes_what_it_tried_and_suggests(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="dlcore")
    run = FakeRun(tmp_path, stage="detector")
    LearningRateFinder(start=1e-5, end=10.0, steps=60).on_run_start(run, RunStart(0))

    with (tmp_path / "learning_rates_detector.csv").open() as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    assert rows[0]["rate"] == pytest.approx(1e-5)
    assert len(rows) > 20
    assert rows[1]["rate"] / rows[0]["rate"] == pytest.approx(10 ** (6 / 59))
    picture = (tmp_path / "learning_rates_detector.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert "is suggested, 0.001 is configured (learning_rates_detector.png)" in caplog.text


def test_the_suggestion_is_applied_if_asked_and_again_after_a_resume(tmp_path):
    run, finder = FakeRun(tmp_path), LearningRateFinder(steps=60, end=10.0, apply=True)
    finder.on_run_start(run, RunStart(0))
    rate = run.optimizer.param_groups[0]["lr"]
    assert rate != 1e-3

    resumed, edited = FakeRun(tmp_path), FakeRun(tmp_path)
    edited.set_learning_rate(5e-4)
    for one in (resumed, edited):
        again = LearningRateFinder(steps=60, end=10.0, apply=True)
        again.load_state_dict(finder.state_dict())
        again.on_run_start(one, RunStart(2))
    assert resumed.optimizer.param_groups[0]["lr"] == rate
    assert edited.optimizer.param_groups[0]["lr"] == 5e-4


def test_a_resumed_run_does_not_try_again(tmp_path):
    LearningRateFinder(steps=30).on_run_start(FakeRun(tmp_path), RunStart(0, step=1))
    assert list(tmp_path.iterdir()) == []


def test_rates_must_grow():
    with pytest.raises(ValueError, match="end must be greater than start"):
        LearningRateFinder(start=1.0, end=0.1)
