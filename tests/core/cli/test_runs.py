from __future__ import annotations

import json

import pytest

from tests.core.runs.conftest import DETECTOR, TABLE, TWO_STAGES, make_run

__all__ = ["make_run"]


@pytest.fixture
def runs(make_run, tmp_path):
    make_run("runs/b", status={"state": "failed", "error": "no memory"}, rows=TABLE[:3])
    make_run("runs/a", detector=DETECTOR, status={"state": "complete"}, **TWO_STAGES)
    make_run("runs/deep/c", rows=[(1, "", 0.5, 90.0, 1.5)], net_type="dekr_w32", snapshots=())
    return tmp_path / "runs"


def test_the_table_has_a_line_for_each_run_and_each_further_stage(dlcore, runs):
    done = dlcore("runs", runs)

    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[0] for line in lines] == ["run", "a", "+", "b", "deep/c"]
    assert lines[1][1:7] == ["resnet_50", "td", "4/4", "mAP", "40.00", "2"]
    assert lines[1][7] == "5.00"
    assert lines[1][-3:] == ["3", "kB", "complete"]
    assert lines[2][1:] == ["detector", "SSDLite", "2/2", "mAP@50:95", "8.00", "2"]
    assert lines[3][-3:] == ["failed", "no", "memory"]
    assert lines[4][-4:] == ["interrupted", "nothing", "was", "saved"]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("test.mAP", ["deep/c", "a", "b"]),
        ("test.rmse", ["deep/c", "a", "b"]),
        ("epochs", ["a", "b", "deep/c"]),
        ("size", ["a", "b", "deep/c"]),
        ("net-type", ["deep/c", "a", "b"]),
        ("test.mAP@50:95", ["a", "b", "deep/c"]),
    ],
)
def test_runs_are_sorted_the_best_first(dlcore, runs, key, order):
    found = json.loads(dlcore("runs", runs, "--json", "--sort", key).out)
    assert [run["run"] for run in found] == order


def test_an_unknown_key_is_wrong_usage_that_names_the_known_ones(dlcore, runs):
    done = dlcore("runs", runs, "--sort", "speed")
    assert done.code == 2
    assert "size, test.mAP, test.mAP@50:95, test.rmse" in done.err


def test_json_tells_everything(dlcore, runs):
    found = {run["run"]: run for run in json.loads(dlcore("runs", runs, "--json").out)}

    assert (found["b"]["state"], found["b"]["note"]) == ("failed", "no memory")
    assert found["b"]["resumable"]
    assert not found["a"]["resumable"]
    assert found["a"]["stages"][0]["best"] == {"test.mAP@50:95": 8.0}
    assert found["deep/c"]["snapshots"] == {}


def test_a_damaged_run_is_listed_with_a_warning(dlcore, runs):
    (runs / "b" / "learning_stats.csv").write_text("nonsense\n1\n")
    done = dlcore("runs", runs)

    assert done.code == 0
    assert done.err.startswith("warning: ")
    assert len(done.out.splitlines()) == 5


def test_a_folder_without_runs_and_no_folder_at_all(dlcore, tmp_path):
    assert "there are no runs" in dlcore("runs", tmp_path).err
    done = dlcore("runs", tmp_path / "gone")
    assert (done.code, done.err) == (1, f"error: there is no folder {str(tmp_path / 'gone')!r}\n")


def test_listing_needs_nothing_heavy(dlcore_process, runs):
    done = dlcore_process("runs", runs)

    assert done.code == 0
    assert not done.modules & {"torch", "pydantic", "matplotlib", "numpy", "pandas"}
