"""Callbacks in whole runs: what they change, and what they must not change."""

import pytest
import torch
from click.testing import CliRunner

from dlcore.cli.main import cli
from dlcore.config.loading import load_config
from dlcore.engine.callbacks import build_callbacks
from dlcore.engine.snapshots import list_snapshots, load_snapshot
from dlcore.engine.stages import stage_named
from dlcore.errors import ConfigError
from dlcore.interfaces import StepEnd
from dlcore.plugin_host import PluginHost

PLUGIN = """
from dlcore import Component, hookimpl
from dlcore.interfaces import Callback

class Fails(Callback):
    '''Fails in the second step.'''

    def on_step_end(self, run, event):
        assert all(value.ndim == 0 for value in event.losses.values())
        if event.step == 2:
            raise RuntimeError("no luck")

@hookimpl
def register_callbacks():
    return [Component("Fails", f"{__name__}:Fails", summary="Fails.")]
"""


def train(config, output, *more):
    result = CliRunner().invoke(
        cli, ["train", str(config), "--output", str(output), *more], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return (output / "train.txt").read_text()


def weights(folder):
    return load_snapshot(max(list_snapshots(folder), key=lambda s: s.epoch).path)["model"]


def test_a_run_with_a_broken_callback_and_a_trial_of_rates_is_the_same_until_it_is_stopped(
    config_file, tmp_path
):
    (tmp_path / "fails.py").write_text(PLUGIN)
    callbacks = [
        {"type": "Fails"},
        {"type": "LearningRateFinder", "steps": 20},
        {"type": "EarlyStopping", "metric": "test.mAR", "min_delta": 99.0, "patience": 1},
    ]
    settings = {"runner.eval_interval": 1, "runner.key_metric": "test.mAP"}
    config = config_file(
        "with.yaml", **settings, **{"callbacks": callbacks, "train_settings.epochs": 5}
    )
    log = train(config, tmp_path / "with", "--plugin", str(tmp_path / "fails.py"))
    train(config_file(**settings), tmp_path / "without")

    assert log.count("callback fails/Fails failed and is not used any more: RuntimeError") == 1
    assert "stopped: test.mAR has not improved since" in log
    assert "done: 2 epochs" in log
    one, other = weights(tmp_path / "with"), weights(tmp_path / "without")
    assert [key for key in one if not torch.equal(one[key], other[key])] == []
    assert (tmp_path / "with" / "learning_rates.png").is_file()


def test_an_option_that_does_not_fit_the_run_ends_it_with_file_line_and_key(config_file, tmp_path):
    config = config_file(callbacks=[{"type": "EarlyStopping", "metric": "test.PCK"}])
    with pytest.raises(ConfigError, match=r"yaml:\d+: callbacks\[0\]: metric 'test.PCK'"):
        train(config, tmp_path / "run")
    assert list_snapshots(tmp_path / "run") == []


def test_a_callback_may_be_for_one_stage_and_there_more_than_once(config_file):
    host = PluginHost.from_entry_points()
    callbacks = [
        {"type": "EarlyStopping", "stage": "detector"},
        {"type": "EarlyStopping", "patience": 3},
        {"type": "callbacks/EarlyStopping", "metric": "test.rmse"},
        {"type": "ExponentialMovingAverage", "stage": "pose"},
    ]
    loaded = load_config(config_file(callbacks=callbacks), host)
    built = build_callbacks(loaded, host, stage_named(loaded.config, "pose"))

    assert list(built.state_dict()) == [
        "callbacks/ExponentialMovingAverage",
        "callbacks/EarlyStopping",
        "callbacks/EarlyStopping 2",
    ]
    assert built.listen_to(StepEnd)


@pytest.mark.parametrize(
    ("key", "value"), [("runner.accumulate_batches", 0), ("runner.max_gradient_norm", -1)]
)
def test_numbers_that_mean_nothing_are_refused(config_file, key, value):
    with pytest.raises(ConfigError, match=key):
        load_config(config_file(**{key: value}), PluginHost.from_entry_points())
