"""Training four epochs equals training two and resuming for two, bit for bit."""

import json
import signal
import subprocess
import sys
import time

import pytest
import torch
from click.testing import CliRunner

from dlcore.cli.main import cli
from dlcore.engine.snapshots import list_snapshots, load_snapshot

CALLBACKS = {
    "callbacks": [
        {"type": "LearningRateFinder", "steps": 20, "apply": True},
        {"type": "EarlyStopping", "metric": "ema.test.mAP", "patience": 9},
        {"type": "ExponentialMovingAverage", "decay": 0.9},
        {"type": "FreezeBackbone", "epochs": 1},
        {"type": "SamplePictures", "interval": 2},
    ],
    "runner.accumulate_batches": 2,
    "runner.max_gradient_norm": 0.5,
}


def train(config, output, *more):
    result = CliRunner().invoke(
        cli, ["train", str(config), "--output", str(output), *more], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result


def weights(folder, epoch, prefix="snapshot"):
    [snapshot] = [s for s in list_snapshots(folder, prefix) if s.epoch == epoch]
    return load_snapshot(snapshot.path)["model"]


def assert_equal_weights(one, other):
    assert one.keys() == other.keys()
    different = [key for key in one if not torch.equal(one[key], other[key])]
    assert different == []


@pytest.mark.parametrize(
    ("workers", "more"), [(0, {}), (2, CALLBACKS)], ids=["plain", "workers and callbacks"]
)
def test_resuming_is_exact(config_file, tmp_path, workers, more):
    config = config_file(**{"train_settings.dataloader_workers": workers, **more})
    train(config, tmp_path / "whole", "--set", "train_settings.epochs=4")

    train(config, tmp_path / "halves", "--set", "train_settings.epochs=2")
    halfway = weights(tmp_path / "halves", 2)
    train(config, tmp_path / "halves", "--set", "train_settings.epochs=4", "--resume")

    assert_equal_weights(weights(tmp_path / "whole", 2), halfway)
    assert_equal_weights(weights(tmp_path / "whole", 4), weights(tmp_path / "halves", 4))
    whole, halves = (
        (tmp_path / name / "learning_stats.csv").read_text() for name in ("whole", "halves")
    )
    assert whole == halves
    if more:
        assert "metrics/ema.test.mAP" in whole
        averages = [weights(tmp_path / name, 4, "snapshot-ema") for name in ("whole", "halves")]
        assert_equal_weights(*averages)
        raw, average = weights(tmp_path / "whole", 4), averages[0]
        assert any(not torch.equal(raw[key], average[key]) for key in raw)


def test_the_test_above_can_fail(config_file, tmp_path):
    """Another seed gives other weights: equality is not a matter of course."""
    train(config_file(), tmp_path / "one")
    train(config_file(**{"train_settings.seed": 8}), tmp_path / "other")

    one, other = weights(tmp_path / "one", 2), weights(tmp_path / "other", 2)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_resuming_from_a_named_snapshot_in_the_config_is_exact(config_file, tmp_path):
    train(config_file(), tmp_path / "run", "--set", "train_settings.epochs=2")
    train(config_file(), tmp_path / "whole", "--set", "train_settings.epochs=3")
    snapshot = next(s.path for s in list_snapshots(tmp_path / "run") if s.epoch == 2)

    config = config_file("resumed.yaml", resume_training_from=str(snapshot))
    train(config, tmp_path / "run", "--set", "train_settings.epochs=3")

    assert_equal_weights(weights(tmp_path / "whole", 3), weights(tmp_path / "run", 3))


def test_a_run_that_is_complete_says_so(config_file, tmp_path):
    train(config_file(), tmp_path / "run")
    result = CliRunner().invoke(
        cli, ["train", str(config_file()), "--output", str(tmp_path / "run"), "--resume"]
    )

    assert result.exit_code != 0
    assert "the run is complete" in str(result.exception)
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "complete"
    assert "train_settings.epochs=52" in str(result.exception)


def test_a_snapshot_names_the_plugins_of_its_run_with_versions(config_file, tmp_path, host):
    train(config_file(**{"train_settings.epochs": 1}), tmp_path / "run")
    [snapshot] = list_snapshots(tmp_path / "run")

    plugins = load_snapshot(snapshot.path)["dlcore"]["plugins"]
    for name in ("heatmap", "timm_backbones"):
        info = host.plugins[name]
        assert plugins[name] == {"distribution": "dlcore", "version": info.version}


def test_an_edited_schedule_is_taken_when_the_saved_one_is_not_loaded(config_file, tmp_path):
    train(config_file(), tmp_path / "run")
    edited = {"lr_list": [[5e-4], [3e-5]], "milestones": [1, 2]}

    train(
        config_file(
            "edited.yaml",
            **{
                "runner.scheduler.params": edited,
                "runner.load_scheduler_state_dict": False,
                "train_settings.epochs": 3,
            },
        ),
        tmp_path / "run",
        "--resume",
    )

    assert "epoch 3/3 (lr=3e-05)" in (tmp_path / "run" / "train.txt").read_text()


def test_an_edited_schedule_that_is_not_taken_is_announced(config_file, tmp_path):
    train(config_file(), tmp_path / "run")
    edited = {"lr_list": [[5e-4], [3e-5]], "milestones": [1, 2]}

    train(
        config_file(
            "edited.yaml", **{"runner.scheduler.params": edited, "train_settings.epochs": 3}
        ),
        tmp_path / "run",
        "--resume",
    )

    log = (tmp_path / "run" / "train.txt").read_text()
    assert "epoch 3/3 (lr=0.0005)" in log
    assert "runner.scheduler was edited" in log


def test_a_fresh_run_does_not_touch_another_runs_files(config_file, tmp_path):
    train(config_file(), tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}

    result = CliRunner().invoke(
        cli, ["train", str(config_file()), "--output", str(tmp_path / "run")]
    )

    assert "already holds a run" in str(result.exception)
    after = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file()}
    assert before == after

    train(config_file(), tmp_path / "run", "--overwrite")
    [moved] = (tmp_path / "run").glob("replaced-*")
    assert (moved / "resume.pt").read_bytes() == before["resume.pt"]


def test_ctrl_c_saves_and_resuming_in_the_middle_of_an_epoch_is_exact(config_file, tmp_path):
    settings = {"train_settings.epochs": 3, "train_settings.display_iters": 1}
    quick = [{"type": "ExponentialMovingAverage"}, {"type": "FreezeBackbone", "epochs": 1}]
    config = config_file(**settings, **CALLBACKS | {"callbacks": quick})
    train(config, tmp_path / "whole")
    log = tmp_path / "run" / "train.txt"
    command = [sys.executable, "-m", "dlcore", "train", str(config)]
    command += ["--output", str(tmp_path / "run")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (log.is_file() and "epoch 2, step 1/3" in log.read_text()):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "interrupted"
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert "1 epochs and 2 steps are done" not in log.read_text()

    train(config, tmp_path / "run", "--resume")
    for prefix in ("snapshot", "snapshot-ema"):
        whole, resumed = (weights(tmp_path / name, 3, prefix) for name in ("whole", "run"))
        assert_equal_weights(whole, resumed)
    assert "1 epochs and 2 steps are done" in log.read_text()
