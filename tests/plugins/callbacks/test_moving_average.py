"""The moving average of weights: what it is, evaluated and offered as."""

import copy

import pytest
import torch

from dlcore.interfaces import Callback, RunStart
from dlcore.testing import FakeRun
from dlcore_plugins.callbacks.moving_average import ExponentialMovingAverage


class Keep(Callback):
    """Keeps the weights of the start and after each step."""

    def __init__(self, inner):
        self.inner, self.states = inner, []

    def on_run_start(self, run, event):
        self.keep(run)
        self.inner.on_run_start(run, event)

    def on_step_end(self, run, event):
        self.keep(run)
        self.inner.on_step_end(run, event)

    def on_evaluation(self, run, event):
        self.inner.on_evaluation(run, event)

    def on_epoch_end(self, run, event):
        self.inner.on_epoch_end(run, event)

    def keep(self, run):
        self.states.append(copy.deepcopy(run.model.state_dict()))


@pytest.mark.parametrize(
    ("options", "decays"),
    [
        ({"decay": 0.9, "warm_up": False}, [0.9] * 4),
        ({"decay": 0.25}, [2 / 11, 0.25, 0.25, 0.25]),
    ],
)
def test_it_is_the_exponential_average_of_the_weights_after_each_step(tmp_path, options, decays):
    run, keep = FakeRun(tmp_path, epochs=2), Keep(ExponentialMovingAverage(**options))
    run.play(keep)
    weights, _ = run.offered["ema"]

    for name in ("backbone.0.weight", "backbone.1.running_var", "head.bias"):
        average = keep.states[0][name]
        for decay, state in zip(decays, keep.states[1:], strict=True):
            average = decay * average + (1 - decay) * state[name]
        torch.testing.assert_close(weights[name], average)
    counter = "backbone.1.num_batches_tracked"
    assert weights[counter] == keep.states[-1][counter] == 4
    assert weights.keys() == run.model.state_dict().keys()


def test_the_average_is_evaluated_and_the_model_is_as_before(tmp_path):
    run, plain = FakeRun(tmp_path, epochs=1), FakeRun(tmp_path, epochs=1)
    run.play(ExponentialMovingAverage(decay=0.5))
    plain.play(Callback())

    assert all(
        torch.equal(value, plain.model.state_dict()[name])
        for name, value in run.model.state_dict().items()
    )
    weights, metrics = run.offered["ema"]
    assert run.logged[1] == {
        f"{kind}/ema.{rest}": value
        for kind, rest, value in ((*name.split("/", 1), value) for name, value in metrics.items())
    }
    assert "metrics/ema.test.mAP" in run.metric_names
    run.model.load_state_dict(weights)
    assert run.evaluate() == metrics
    assert metrics != plain.evaluate()


def test_without_evaluation_nothing_is_logged_or_measured(tmp_path):
    run = FakeRun(tmp_path, epochs=1)
    run.play(ExponentialMovingAverage(evaluate=False))

    assert run.logged[1] == {}
    assert run.offered["ema"][1] == {}
    assert len(run.metric_names) == 3


def test_an_average_of_another_model_is_not_taken(tmp_path):
    callback = ExponentialMovingAverage()
    callback.load_state_dict({"steps": 3, "weights": {"other": torch.zeros(1)}})
    with pytest.raises(KeyError):
        callback.on_run_start(FakeRun(tmp_path), RunStart(1))
