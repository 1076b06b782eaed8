from __future__ import annotations

import csv
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlcore.interfaces import RunInfo
from dlcore.testing import check_logger
from dlcore_plugins.loggers.csv_logger import CSVLogger


def content(folder: Path, name: str = "learning_stats.csv") -> list[list[str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.reader(file))


def test_keeps_the_logger_contract(tmp_path: Path) -> None:
    check_logger(CSVLogger(RunInfo(tmp_path)))


def test_columns_are_the_step_and_then_all_names_in_order(tmp_path: Path) -> None:
    logger = CSVLogger(RunInfo(tmp_path))
    logger.log({"losses/train.total_loss": 0.5}, 1)
    logger.log({"metrics/test.mAP": 12.25, "losses/train.total_loss": 0.25}, 2)
    logger.log({"losses/eval.total_loss": float("nan"), "losses/train.total_loss": 0.1}, 3)

    assert content(tmp_path) == [
        ["step", "losses/eval.total_loss", "losses/train.total_loss", "metrics/test.mAP"],
        ["1", "", "0.5", ""],
        ["2", "", "0.25", "12.25"],
        ["3", "nan", "0.1", ""],
    ]


def test_numbers_keep_all_their_digits(tmp_path: Path) -> None:
    value = 0.1 + 0.2

    CSVLogger(RunInfo(tmp_path)).log({"a": np.float64(value), "b": np.float32(3)}, 1)  # type: ignore[dict-item]

    assert content(tmp_path)[1] == ["1", repr(value), "3.0"]


def test_the_detector_has_a_file_of_its_own(tmp_path: Path) -> None:
    CSVLogger(RunInfo(tmp_path, stage="detector")).log({"a": 1.0}, 1)

    assert [path.name for path in tmp_path.iterdir()] == ["learning_stats_detector.csv"]


def test_the_file_can_have_another_name(tmp_path: Path) -> None:
    CSVLogger(RunInfo(tmp_path), log_filename="stats.csv", train_folder="/elsewhere").log({}, 1)

    assert content(tmp_path, "stats.csv") == [["step"], ["1"]]


@pytest.mark.parametrize("name", ["../stats.csv", "/tmp/stats.csv", "", ".."])
def test_the_file_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="log_filename must be a name without folders, got"):
        CSVLogger(RunInfo(tmp_path), log_filename=name)


def test_resuming_drops_the_rows_that_are_written_again(tmp_path: Path) -> None:
    first = CSVLogger(RunInfo(tmp_path))
    for step in (1, 2, 3, 4):
        first.log({"a": step / 8}, step)

    second = CSVLogger(RunInfo(tmp_path, resumed_from_epoch=2))
    second.log({"a": 7.0, "b": 1.0}, 3)

    assert content(tmp_path) == [
        ["step", "a", "b"],
        ["1", "0.125", ""],
        ["2", "0.25", ""],
        ["3", "7.0", "1.0"],
    ]


def test_a_new_run_starts_a_new_table(tmp_path: Path) -> None:
    CSVLogger(RunInfo(tmp_path)).log({"old": 1.0}, 1)

    CSVLogger(RunInfo(tmp_path)).log({"new": 1.0}, 1)

    assert content(tmp_path)[0] == ["step", "new"]


def test_an_epoch_that_is_logged_twice_stays_one_row(tmp_path: Path) -> None:
    logger = CSVLogger(RunInfo(tmp_path))
    logger.log({"a": 1.0, "b": 1.0}, 1)
    logger.log({"b": 2.0, "c": 3.0}, 1)

    assert content(tmp_path) == [["step", "a", "b", "c"], ["1", "1.0", "2.0", "3.0"]]


@pytest.mark.parametrize("damage", [b"\x00\xff\xfe", b"epoch,a\n1,2\n", b"step,a\nx,2\n"])
def test_a_damaged_file_is_put_aside(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "learning_stats.csv").write_bytes(damage)

    with caplog.at_level(logging.WARNING):
        CSVLogger(RunInfo(tmp_path, resumed_from_epoch=4)).log({"a": 1.0}, 5)

    assert content(tmp_path) == [["step", "a"], ["5", "1.0"]]
    assert (tmp_path / "learning_stats-damaged.csv").read_bytes() == damage
    assert "put aside as learning_stats-damaged.csv" in caplog.text


def test_a_failure_while_writing_leaves_the_former_table(tmp_path: Path) -> None:
    logger = CSVLogger(RunInfo(tmp_path))
    logger.log({"a": 1.0}, 1)
    (tmp_path / "learning_stats.csv.part").mkdir()

    with pytest.raises(OSError, match="learning_stats"):
        logger.log({"a": 2.0}, 2)

    assert content(tmp_path) == [["step", "a"], ["1", "1.0"]]


def test_files_of_deeplabcut_are_continued(shared: Path, tmp_path: Path) -> None:
    known = shared / "peer/snapshots/multi_rtmpose_s/learning_stats.csv"
    shutil.copy(known, tmp_path)
    last = int(pd.read_csv(known)["step"].max())

    CSVLogger(RunInfo(tmp_path, resumed_from_epoch=last)).log({"metrics/test.mAP": 50.0}, last + 1)

    before, after = known.read_bytes(), (tmp_path / known.name).read_bytes()
    assert after.startswith(before)
    assert pd.read_csv(tmp_path / known.name)["metrics/test.mAP"].iloc[-1] == 50.0
