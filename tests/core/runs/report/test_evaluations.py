from __future__ import annotations

import json
import math

import pytest

from dlcore.runs.report.evaluations import read_evaluations


def read(folder, **values):
    (folder / "evaluation_test.json").write_text(json.dumps(values))
    [record], problems = read_evaluations(folder)
    assert problems == []
    return record


def test_everything_is_read_in_the_order_of_splits(full_run):
    records, problems = read_evaluations(full_run)
    first = records[0]

    assert ([record.split for record in records], problems) == (["test", "train"], [])
    assert first.pcutoff == "0.4 to 0.6"
    assert first.metrics["mAR"] is None
    assert first.keypoints[3].pixels["p95"] is None
    assert first.keypoints[0].percent["0.05"] == 71.987
    assert [item.unique for item in first.keypoints] == [False, False, False, True]
    assert first.identity.right == 87.5
    assert first.identity.rows[0] == ("mouse_1", [(19, 95.0), (1, 5.0)])


def test_a_file_without_details_has_its_metrics(tmp_path):
    record = read(tmp_path, snapshot="snapshot-best-040.pt", images=60, metrics={"rmse": 3.25})

    assert record.metrics == {"rmse": 3.25}
    assert (record.keypoints, record.pooled, record.identity, record.pictures) == (
        [],
        None,
        None,
        [],
    )


@pytest.mark.parametrize("wrong", [None, 3, "text", [1, "x"], {"a": []}, True])
def test_values_that_are_none_of_ours_are_not_known(tmp_path, wrong):
    names = ("snapshot", "images", "metrics", "keypoints", "pooled", "identity", "per_image")
    record = read(tmp_path, **dict.fromkeys([*names, "pictures", "pcutoff", "seconds"], wrong))

    assert record.keypoints == []
    assert record.identity is None


def test_a_number_that_is_none_is_not_known(tmp_path):
    metrics = read(tmp_path, metrics={"rmse": math.nan, "mAP": math.inf, "mAR": True}).metrics
    assert metrics == {"rmse": None, "mAP": None, "mAR": None}


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "evaluation_test.json").write_text("{")
    (tmp_path / "evaluation_train.json").write_text("[]")
    records, problems = read_evaluations(tmp_path)

    assert records == []
    assert "'evaluation_test.json' cannot be read" in problems[0]
    assert "'evaluation_train.json' cannot be read" in problems[1]


def test_individuals_that_were_taken_for_nobody_have_a_column(tmp_path):
    identity = {"names": ["a", "b"], "confusion": [[3, 0, 1], [0, 4]]}
    confusion = read(tmp_path, identity=identity).identity

    assert confusion.columns == ["a", "b", "none"]
    assert confusion.counts == [[3, 0, 1], [0, 4, 0]]
    assert confusion.right == 87.5
