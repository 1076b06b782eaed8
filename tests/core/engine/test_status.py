from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcore.engine.run_folder import RunFolder
from dlcore.engine.status import STATUS, RunStatus, process_start
from dlcore.errors import TrainingError


def read(folder):
    return json.loads((folder / STATUS).read_text())


def test_a_run_says_that_it_trains_and_which_process_does(tmp_path):
    status = RunStatus(tmp_path)
    with status.until_the_end():
        status.begin("detector")
        told = read(tmp_path)

    assert (told["state"], told["stage"], told["process"]) == ("running", "detector", os.getpid())
    assert told["process_start"] == process_start(os.getpid())


def test_a_run_that_has_ended_says_so_with_the_stages_that_were_stopped(tmp_path):
    status = RunStatus(tmp_path)
    with status.until_the_end():
        status.begin("detector")
        status.stopped("no better for 5 epochs")
        status.begin("pose")

    told = read(tmp_path)
    assert told["state"] == "complete"
    assert told["stopped"] == {"detector": "no better for 5 epochs"}
    assert told["since"] <= told["until"]


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (TrainingError("no memory\n  try less"), "failed", "no memory"),
        (ZeroDivisionError(), "failed", "ZeroDivisionError"),
        (KeyboardInterrupt(), "interrupted", None),
    ],
)
def test_what_ended_a_run_before_its_time_is_told_and_raised(tmp_path, error, state, text):
    def train(status):
        with status.until_the_end():
            status.begin("pose")
            raise error

    with pytest.raises(type(error)):
        train(RunStatus(tmp_path))

    assert read(tmp_path)["state"] == state
    assert read(tmp_path).get("error") == text


def test_what_fails_before_the_training_leaves_the_status_of_a_former_run(tmp_path):
    first = RunStatus(tmp_path)
    with first.until_the_end():
        first.begin("pose")

    with pytest.raises(TrainingError), RunStatus(tmp_path).until_the_end():
        raise TrainingError("the run is complete")

    assert read(tmp_path)["state"] == "complete"


def test_a_status_that_cannot_be_written_does_not_end_the_run(tmp_path, caplog):
    folder = RunFolder(tmp_path / "run")
    status = RunStatus(folder.path)
    folder.path.rmdir()
    with status.until_the_end():
        status.begin("pose")

    assert "the status of the run was not written" in caplog.text


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="only Linux tells")
def test_a_process_is_told_from_another_and_from_none():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        begun = process_start(other.pid)
        assert begun is not None
        assert begun == process_start(other.pid)
        assert begun != process_start(os.getpid())
        assert other.stdin is not None
        other.stdin.write(b"\n")
    assert process_start(other.pid) is None
