from __future__ import annotations

from pathlib import Path

from dlcore.runs.comparison import ABSENT, differences, figures, short_names, stages_of_any
from dlcore.runs.record import read_run
from tests.core.runs.conftest import DETECTOR, TWO_STAGES


def test_only_what_differs_is_told():
    one = {"a": 1, "b": {"c": [1, 2], "d": "x"}}
    assert differences([one, one]) == {}
    assert differences([one, {"a": 1, "b": {"c": [1, 3], "d": "x"}}]) == {"b.c": [[1, 2], [1, 3]]}


def test_a_key_that_only_one_has_is_told_apart_from_null():
    assert differences([{"a": None}, {}]) == {"a": [None, ABSENT]}


def test_a_section_that_is_missing_is_one_difference():
    section = {"type": "X", "options": {"a": 1, "b": 2}}
    assert differences([{"neck": section}, {"neck": None}, {"neck": section}]) == {
        "neck": [section, None, section]
    }


def test_sections_that_differ_are_told_beside_one_that_is_missing():
    one, other = {"a": {"x": 1, "y": 1}}, {"a": {"x": 2, "y": 1}}
    assert differences([{"s": one}, {"s": other}, {}]) == {
        "s": [one, other, ABSENT],
        "s.a.x": [1, 2, ABSENT],
    }


def test_runs_are_named_by_what_tells_them_apart():
    def names(*paths):
        return short_names([Path(path) for path in paths])

    assert names("/x/runs/a", "/x/runs/b") == ["a", "b"]
    assert names("/x/a/deep/run", "/x/b/run") == ["a/deep", "b"]
    assert names("/x/run", "/x/run/again") == ["run", "again"]
    assert names(
        "/p/dlc-models-pytorch/iteration-0/s1/train", "/p/dlc-models-pytorch/iteration-0/s2/train"
    ) == ["s1", "s2"]
    assert names("/x/train", "/x/dlc-models-pytorch") == ["train", "dlc-models-pytorch"]


def test_runs_of_other_methods_stand_side_by_side(make_run):
    runs = [read_run(make_run("a")), read_run(make_run("b", detector=DETECTOR, **TWO_STAGES))]

    assert stages_of_any(runs) == ["detector", "pose"]
    assert figures(runs, "detector") == {
        "epochs": ["", "2/2"],
        "best by": ["", "test.mAP@50:95"],
        "best epoch": ["", "2"],
        "test.mAP@50:95": ["", "8.00"],
        "last train loss": ["", "0.50000"],
    }
    pose = figures(runs, "pose")
    assert pose["test.rmse"] == ["5.00", "5.00"]
    assert pose["last test loss"] == ["0.50000", "0.50000"]
