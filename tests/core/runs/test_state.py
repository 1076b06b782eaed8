from __future__ import annotations

import os
import platform

import pytest

from dlcore.engine.status import process_start
from dlcore.runs.record import read_run
from dlcore.runs.state import state_of
from tests.core.runs.conftest import BEGUN, DETECTOR, TABLE, TWO_STAGES

LATER = BEGUN + 1e6
SOON = BEGUN + 500


def state(folder, now=LATER):
    return tuple(state_of(read_run(folder), now))


def process(number, start=None, host=None):
    host = host or platform.node()
    return {"state": "running", "process": number, "process_start": start, "host": host}


def test_a_run_with_all_its_epochs_is_complete_whatever_its_age(make_run):
    assert state(make_run("said", status={"state": "complete"})) == ("complete", "")
    assert state(make_run("old"), SOON) == ("complete", "")


def test_a_run_that_a_callback_stopped_is_complete(make_run):
    folder = make_run(
        **{"train_settings.epochs": 50}, status={"state": "complete", "stopped": {"pose": "enough"}}
    )
    assert state(folder) == ("complete", "stopped: enough")


def test_a_detector_that_was_stopped_early_is_done_once_the_pose_model_is_trained(make_run):
    changes = TWO_STAGES | {"detector.train_settings": {"epochs": 50}}
    folder = make_run(detector=DETECTOR, status={"state": "complete"}, **changes)
    assert state(folder) == ("complete", "")


def test_a_run_trains_while_its_process_is_there(make_run):
    own = process(os.getpid(), process_start(os.getpid()))
    assert state(make_run(status=own, rows=TABLE[:1])) == ("running", "")


@pytest.mark.skipif(process_start(os.getpid()) is None, reason="only Linux tells")
def test_another_process_of_the_same_number_is_not_the_run(make_run):
    status = process(os.getpid(), "12")
    assert state(make_run(status=status, rows=TABLE[:1])) == (
        "interrupted",
        "its process is gone, can be resumed",
    )


def test_a_run_on_another_machine_seems_to_train_while_its_files_are_young(make_run):
    folder = make_run(status=process(1, "1", "far-away"), rows=TABLE[:1])
    assert state(folder, SOON) == ("running?", "on far-away")
    assert state(folder)[0] == "interrupted"


def test_slow_epochs_need_more_patience(make_run):
    folder = make_run(rows=TABLE[:2], changed=BEGUN + 7200)  # an hour for each
    assert state(folder, BEGUN + 7200 + 2.9 * 3600)[0] == "running?"
    assert state(folder, BEGUN + 7200 + 3.1 * 3600)[0] == "interrupted"


def test_a_run_that_says_nothing_is_judged_by_its_files(make_run):
    folder = make_run(rows=TABLE[:2])
    assert state(folder, SOON) == ("running?", "its files are young")
    assert state(folder) == ("interrupted", "can be resumed")
    nothing = make_run("nothing", rows=TABLE[:2], snapshots=())
    assert state(nothing) == ("interrupted", "nothing was saved")


def test_a_run_that_failed_tells_why(make_run):
    folder = make_run(status={"state": "failed", "error": "no memory"}, rows=TABLE[:2])
    assert state(folder, SOON) == ("failed", "no memory")


def test_a_run_whose_pose_model_was_not_asked_for_is_incomplete(make_run):
    folder = make_run(detector=DETECTOR, rows=None, status={"state": "complete"}, **TWO_STAGES,
                      snapshots=["snapshot-detector-002.pt"])  # fmt: skip
    assert state(folder) == ("incomplete", "still to be trained: pose")
