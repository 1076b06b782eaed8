"""Several processes train one model as one process would, on CPUs with gloo."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys

import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.engine.snapshots import list_snapshots, load_snapshot
from dlcore.testing.animals import write_animals
from tests.integration.conftest import small_config

PLUGIN = '''
import os

from dlcore import Component, hookimpl
from dlcore.interfaces import Callback


@hookimpl
def register_callbacks():
    return [Component("Die", f"{__name__}:Die")]


class Die(Callback):
    """Ends one of the processes in the middle of an epoch."""

    def on_step_end(self, run, event):
        if os.environ["RANK"] == "1":
            raise SystemExit("this process has had enough")
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten training images, and a config whose steps do not depend on how batches are split.

    There is no batch norm and no dropout; the last batch of an epoch is smaller.
    """
    folder = tmp_path_factory.mktemp("distributed")
    write_animals(folder / "animals", num_train=10, num_test=5, size=64)
    config = small_config(folder / "animals")
    config["model"]["backbone"] = {
        "type": "TimmBackbone",
        "model_name": "convnext_atto",
        "pretrained": False,
        "out_indices": [1],
    }
    config["runner"]["eval_interval"] = 1
    config["runner"]["optimizer"] = {"type": "SGD", "params": {"lr": 2.0}}
    config["runner"]["scheduler"] = None
    config["train_settings"]["batch_size"] = 2
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "dying.py").write_text(PLUGIN)
    return folder


@pytest.fixture(scope="module")
def train(folder):
    """Trains in processes, or in this one, and gives the exit code and what was printed."""

    def run(output, *more, nproc=None, launcher=None):
        arguments = ["train", str(folder / "config.yaml"), "--output", str(output), *more]
        if nproc is None:
            return main(arguments), ""
        command = [*(launcher or [sys.executable, "-m", "dlcore"]), *arguments]
        command += [] if launcher else ["--nproc", str(nproc)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=240, check=False, env=dict(os.environ)
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def two(train, tmp_path_factory):
    """A run of two processes with batches of two."""
    output = tmp_path_factory.mktemp("two") / "run"
    code, printed = train(output, nproc=2)
    assert code == 0, printed
    assert "2 processes train together" in printed
    return output


@pytest.fixture(scope="module")
def one(train, tmp_path_factory):
    """A run of one process with batches of four: the same images in each step."""
    output = tmp_path_factory.mktemp("one") / "run"
    assert train(output, "--set", "train_settings.batch_size=4")[0] == 0
    return output


def weights(output, epoch):
    [found] = [s.path for s in list_snapshots(output) if s.epoch == epoch]
    return load_snapshot(found)["model"]


def table(output):
    with (output / "learning_stats.csv").open() as file:
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def assert_close(first, second, tolerance=2e-5):
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], atol=tolerance, rtol=1e-4)


def test_two_processes_take_the_steps_of_one_with_the_whole_batch(one, two):
    start = weights(one, 1)
    assert_close(weights(two, 1), start)
    assert_close(weights(two, 2), weights(one, 2))
    moved = [(weights(one, 2)[name] - value).abs().max() for name, value in start.items()]
    assert max(moved) > 3e-4  # and these steps are no small ones


def test_losses_and_metrics_are_those_of_one_process(one, two):
    for of_two, of_one in zip(table(two), table(one), strict=True):
        assert of_two.keys() == of_one.keys()
        assert {"metrics/test.rmse", "losses/eval.total_loss"} <= of_two.keys()
        for name, value in of_one.items():
            assert of_two[name] == pytest.approx(value, rel=2e-3, abs=1e-3, nan_ok=True), name


def test_one_process_writes(two):
    names = sorted(path.name for path in two.iterdir())

    assert len([name for name in names if name.endswith(".pt")]) == 3  # two snapshots, resume.pt
    log = (two / "train.txt").read_text()
    assert log.count("epoch 1/2") == log.count("epoch 2/2") == 1


def test_a_run_goes_on_in_another_number_of_processes(train, one, two, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    shutil.copytree(two, alone)
    shutil.copytree(one, together)
    more = ("--resume", "--set", "train_settings.epochs=3")

    assert train(alone, *more, "--set", "train_settings.batch_size=4")[0] == 0
    code, printed = train(together, *more, nproc=2)

    assert code == 0, printed
    assert_close(weights(together, 3), weights(alone, 3), tolerance=1e-4)


def test_a_process_that_dies_ends_the_run_and_says_why(train, folder, tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    torchrun += ["-m", "dlcore"]
    more = ("--plugin", str(folder / "dying.py"), "--set", "callbacks=[{type: Die}]")

    code, printed = train(tmp_path, *more, nproc=2, launcher=torchrun)

    assert code == 1
    assert "this process has had enough" in printed
    assert not list_snapshots(tmp_path)


def test_wrong_settings_are_told_once_and_before_any_process_starts(train, tmp_path):
    code, printed = train(tmp_path, "--set", "runner.optimizer.type=Adma", nproc=2)

    assert code == 1
    assert printed.count("error:") == 1
    assert "Adam" in printed
