"""Early stopping: of which metric, when, and what it says."""

import math

import pytest

from dlcore.interfaces import EpochEnd, RunStart
from dlcore.testing import FakeRun
from dlcore_plugins.callbacks.early_stopping import EarlyStopping

MAP, LOSS = "metrics/test.mAP", "losses/train.total_loss"


def epochs_until_stopped(callback, run, values, name=MAP):
    callback.on_run_start(run, RunStart(0))
    for epoch, value in enumerate(values, start=1):
        found = {} if value is None else {name: value}
        callback.on_epoch_end(run, EpochEnd(epoch, found, value is not None))
        if run.stopped:
            return epoch
    return None


@pytest.fixture
def run(tmp_path):
    return FakeRun(tmp_path)


@pytest.mark.parametrize(
    ("options", "values", "expected"),
    [
        ({"patience": 2}, [1, 2, 3, 3, 3, 9], 5),
        ({"patience": 2}, [1, 2, 1, 3, 1, 3], 6),
        ({"patience": 2}, [1, None, 1, None, None, 1], 6),  # counts measurements, not epochs
        ({"patience": 2, "min_delta": 1.0}, [1, 2, 1.5, 9], 3),
        ({"patience": 3}, [math.nan, math.nan, math.nan], 3),
        ({"patience": 1, "start_epoch": 4}, [3, 2, 1, 1, 1], 5),
        ({"patience": 2, "mode": "min"}, [1, 2, 3], 3),
        ({"patience": 2, "metric": "test.rmse"}, [3, 2, 1, 1, 1], 5),
        ({"patience": 2, "metric": "metrics/test.mAP"}, [1, 2, 3, 4], None),
        ({"patience": 1}, [0.0, 0.0], 2),
    ],
)
def test_it_stops_when_nothing_has_improved_for_a_while(run, options, values, expected):
    name = "metrics/test.rmse" if options.get("metric") == "test.rmse" else MAP
    assert epochs_until_stopped(EarlyStopping(**options), run, values, name) == expected


def test_training_losses_are_looked_at_in_every_epoch(run):
    callback = EarlyStopping(metric=LOSS, patience=2)
    callback.on_run_start(run, RunStart(0))
    for epoch, value in enumerate([3.0, 2.0, 2.5, 2.5], start=1):
        callback.on_epoch_end(run, EpochEnd(epoch, {LOSS: value}, False))
    assert run.stopped == (
        "losses/train.total_loss has not improved since 2 in epoch 2 (EarlyStopping, patience 2)"
    )


def test_a_metric_that_is_not_measured_is_refused_with_those_that_are(run):
    with pytest.raises(ValueError, match=r"metric 'test.PCK' is not measured; .*test.mAP"):
        EarlyStopping(metric="test.PCK").on_run_start(run, RunStart(0))


def test_a_metric_of_unknown_direction_needs_a_mode(run):
    run.metric_names.append("metrics/speed")
    with pytest.raises(ValueError, match="mode: say max or min"):
        EarlyStopping(metric="speed").on_run_start(run, RunStart(0))
    EarlyStopping(metric="speed", mode="max").on_run_start(run, RunStart(0))


def test_resumed_it_stays_stopped_unless_there_is_more_patience(run, tmp_path):
    first = EarlyStopping(patience=2)
    epochs_until_stopped(first, run, [2, 1, 1])

    again, patient = FakeRun(tmp_path), FakeRun(tmp_path)
    for patience, resumed in ((2, again), (3, patient)):
        callback = EarlyStopping(patience=patience)
        callback.load_state_dict(first.state_dict())
        callback.on_run_start(resumed, RunStart(3))

    assert again.stopped is not None
    assert patient.stopped is None
