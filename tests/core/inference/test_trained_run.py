"""Runs are opened from where they lie, and their snapshots chosen by name."""

from __future__ import annotations

import json

import pytest

from dlcore.errors import DlcoreError, SnapshotError
from dlcore.inference.trained_run import TrainedRun

CONFIG = """
net_type: resnet_50
metadata: {bodyparts: [snout, tail], individuals: [one, two]}
"""


@pytest.fixture
def run(tmp_path, host):
    (tmp_path / "pytorch_config.yaml").write_text(CONFIG)
    for name in ("snapshot-010.pt", "snapshot-best-020.pt", "snapshot-030.pt", "other.pt"):
        (tmp_path / name).touch()
    return TrainedRun.open(tmp_path, host)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (None, "snapshot-best-020.pt"),
        ("best", "snapshot-best-020.pt"),
        ("last", "snapshot-030.pt"),
        ("10", "snapshot-010.pt"),
        ("other.pt", "other.pt"),
    ],
)
def test_a_snapshot_is_chosen_by_name(run, which, expected):
    assert run.snapshot(which).name == expected


def test_without_a_best_one_the_last_is_taken(run):
    (run.folder / "snapshot-best-020.pt").unlink()

    assert run.snapshot().name == "snapshot-030.pt"
    with pytest.raises(SnapshotError, match="no snapshot 'best'"):
        run.snapshot("best")


@pytest.mark.parametrize("which", ["40", "nothing.pt"])
def test_what_is_not_there_is_told_with_what_is(run, which):
    with pytest.raises(SnapshotError, match=r"snapshot-010\.pt, snapshot-030\.pt"):
        run.snapshot(which)


def test_the_names_come_from_the_config(run):
    assert run.task.keypoints == ("snout", "tail")
    assert run.task.num_individuals == 2


def test_data_are_looked_for_where_the_run_was_started(tmp_path, host):
    origin, folder = tmp_path / "origin", tmp_path / "run"
    origin.mkdir()
    folder.mkdir()
    (origin / "mine.yaml").write_text(CONFIG)
    (folder / "resolved_config.yaml").write_text(CONFIG)
    about = {"config_path": str(origin / "mine.yaml")}
    (folder / "manifest.json").write_text(json.dumps(about))

    assert TrainedRun.open(folder, host).place == origin / "mine.yaml"
    (origin / "mine.yaml").unlink()
    assert TrainedRun.open(folder, host).place == folder / "resolved_config.yaml"


def test_a_folder_that_is_no_run_is_refused(tmp_path, host):
    with pytest.raises(DlcoreError, match="is not the folder of a run"):
        TrainedRun.open(tmp_path, host)
    with pytest.raises(DlcoreError, match="neither a folder nor a config file"):
        TrainedRun.open(tmp_path / "nowhere", host)
