"""Runs that are profiled: where the numbers are, and that nothing else changes."""

from __future__ import annotations

import csv
import os
import signal

import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.engine.profiling import PARTS
from dlcore.engine.snapshots import list_snapshots, load_snapshot
from dlcore.engine.trainer import Trainer
from tests.integration.conftest import small_config

NAMES = [f"profile/{part}_s" for part in PARTS]


def rows(folder, name="learning_stats.csv"):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, animals):
    """Two runs of one config, the first one profiled; 3 epochs, of which the second is evaluated.

    Batches are joined, for gradients are clipped and steps of the optimizer are rarer then.
    """
    folder = tmp_path_factory.mktemp("profile")
    config = small_config(animals)
    config["train_settings"]["epochs"] = 3
    config["runner"] |= {"accumulate_batches": 2, "max_gradient_norm": 1.0}
    file = folder / "pytorch_config.yaml"
    file.write_text(yaml.safe_dump(config))
    assert main(["train", str(file), "--output", str(folder / "profiled"), "--profile"]) == 0
    assert main(["train", str(file), "--output", str(folder / "plain")]) == 0
    return folder


def test_each_epoch_has_the_seconds_of_every_part(runs):
    table = rows(runs / "profiled")
    assert len(table) == 3
    for number, row in enumerate(table, start=1):
        seconds = {part: float(row[f"profile/{part}_s"]) for part in PARTS}
        for part in ("augment", "transfer", "forward", "targets", "loss", "backward", "optimizer"):
            assert seconds[part] > 0, part
        assert (seconds["evaluation"] > 0.001) == (number > 1)  # the last one always is
        assert seconds["snapshots"] > 0
        assert seconds["other"] < sum(seconds.values()) / 2
    first, second = (float(row["profile/decode_s"]) for row in table[:2])
    assert first > second  # from memory


def test_the_columns_of_deeplabcut_are_as_without(runs):
    profiled, plain = list(rows(runs / "profiled")[0]), list(rows(runs / "plain")[0])
    assert profiled == [*plain, *sorted(NAMES)]


def test_profiling_changes_no_number_and_no_weight(runs):
    one, other = (
        load_snapshot(list_snapshots(runs / name)[-1].path)["model"]
        for name in ("profiled", "plain")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    plain = rows(runs / "plain")
    assert [{k: row[k] for k in plain[0]} for row in rows(runs / "profiled")] == plain


def test_the_log_has_a_line_for_each_epoch_and_one_advice(runs):
    log = (runs / "profiled" / "train.txt").read_text()
    assert log.count("profile of epoch ") == 3
    assert log.count("profile: ") == 1
    assert (runs / "profiled" / "profile.png").stat().st_size > 1000


def test_without_it_there_is_no_trace(runs):
    assert "profile" not in (runs / "plain" / "train.txt").read_text().replace(str(runs), "")
    assert not (runs / "plain" / "profile.png").exists()


def test_with_workers_their_work_is_waiting(config_file, tmp_path):
    file = config_file(**{"train_settings.dataloader_workers": 1, "train_settings.epochs": 1})
    assert main(["train", str(file), "--profile"]) == 0
    [row] = rows(tmp_path)
    assert float(row["profile/wait_s"]) > 0
    assert [float(row[f"profile/{part}_s"]) for part in ("decode", "augment")] == [0, 0]


def test_a_resumed_run_goes_on_being_profiled(config_file, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patched:
        tell = Trainer._tell_loggers

        def tell_and_interrupt(trainer, values, step):
            tell(trainer, values, step)
            os.kill(os.getpid(), signal.SIGINT)

        patched.setattr(Trainer, "_tell_loggers", tell_and_interrupt)
        assert main(["train", str(config_file()), "--profile"]) == 130
    assert "--profile" in capsys.readouterr().err.split("to go on:")[1]
    assert (tmp_path / "profile.png").is_file()
    assert main(["train", str(config_file()), "--profile", "--resume"]) == 0
    assert [float(row["profile/forward_s"]) > 0 for row in rows(tmp_path)] == [True, True]
