"""The files of an evaluation: what `dlcore report` and other programs read."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from dlcore.inference.evaluation import Evaluation, compare
from dlcore.inference.evaluation_files import EvaluationFiles, write_files
from dlcore.inference.evaluation_options import Counting
from dlcore.inference.evaluation_text import identity_rows, keypoint_rows, metric_rows
from dlcore.interfaces import PoseTask, Prediction, Record

TASK = PoseTask(("snout", "tail"), ("lamp",), ("one", "two"), with_identity=True)
ANIMAL = np.array([[20.0, 20, 2], [60, 40, 2]])


@pytest.fixture(scope="module")
def evaluation():
    """Two animals, one taken for the other; no lamp is found."""
    labels = np.array([ANIMAL, ANIMAL + np.array([0, 100, 0])])
    found = labels[::-1] + np.array([3, 4, 0])
    found[..., 2] = (0.9, 0.5)
    identity = np.full((2, 2, 2), 0.5)
    identity[..., 0] = [[0.9, 0.1], [0.1, 0.1]]  # the snout of pose 0 is "one", all else "two"
    record = Record(
        "labels/1.png",
        (200, 200),
        labels,
        np.array([[5.0, 5, 2]]),
        np.arange(2),
        key=("a", "1.png"),
    )
    predictions, counting = [Prediction(found, identity=identity)], Counting(0.6, [0.1, 0.2])
    metrics, details = compare(predictions, [record], TASK, counting)
    return Evaluation([record], predictions, metrics, details, counting, 0.25)


@pytest.fixture
def written(evaluation, tmp_path):
    files = EvaluationFiles.of(tmp_path / "evaluation_test.json")
    about = {"run": "runs/first", "snapshot": "snapshot-010.pt", "split": "test", "boxes": None}
    content = write_files(evaluation, TASK, files, about, 0)
    text = files.json.read_text()
    assert "NaN" not in text
    assert json.loads(text) == content
    return content, files


def test_the_json_has_what_was_agreed_on(written):
    content, _ = written

    assert set(content) >= {
        *("run", "snapshot", "split", "images", "boxes", "pcutoff", "metrics", "keypoints"),
        *("pooled", "identity", "per_image", "pictures", "seconds", "images_per_s"),
    }
    keys = {
        *("labelled", "predicted", "rmse", "rmse_pcutoff", "median", "p75", "p90", "p95"),
        *("coverage", "pck"),
    }
    assert set(content["pooled"]) == keys
    assert all(set(one) == keys | {"name", "unique"} for one in content["keypoints"])
    assert [one["name"] for one in content["keypoints"]] == ["snout", "tail", "lamp"]
    assert [one["unique"] for one in content["keypoints"]] == [False, False, True]
    assert content["keypoints"][0]["rmse"] == 5
    assert content["keypoints"][1]["rmse_pcutoff"] is None
    assert content["keypoints"][2]["predicted"] == 0
    assert content["per_image"] == [{"image": "a/1.png", "rmse": 5, "rmse_pcutoff": 5, "missed": 0}]
    assert content["oks_sigma"] == [0.1, 0.2]
    assert (content["images"], content["seconds"], content["images_per_s"]) == (1, 0.25, 4)


def test_identities_are_confused_by_individual_and_judged_by_keypoint(written):
    content, _ = written

    assert content["identity"] == {"names": ["one", "two"], "confusion": [[0, 1], [1, 0]]}
    assert content["metrics"]["identity_accuracy"] == 0
    assert content["metrics"]["id_head_snout_accuracy"] == 0
    assert content["metrics"]["id_head_tail_accuracy"] == 0.5


def test_the_csv_has_a_row_for_each_keypoint_and_one_for_all(written):
    _, files = written
    rows = list(csv.DictReader(files.csv.read_text().splitlines()))

    assert [row["keypoint"] for row in rows] == ["snout", "tail", "lamp", "all"]
    assert [row["unique"] for row in rows] == ["false", "false", "true", ""]
    assert rows[0]["rmse"] == "5.0000"
    assert rows[1]["rmse_pcutoff"] == ""
    assert rows[3]["labelled"] == "5"
    assert rows[0]["pck_0.2"] == "100.0000"
    assert rows[2]["pck_0.2"] == ""


def test_the_terminal_shows_the_worst_keypoints_first_and_what_was_not_found_before_them(
    evaluation,
):
    rows = keypoint_rows(evaluation)

    assert rows[0][:3] == ["keypoint", "labels", "found"]
    assert [row[0] for row in rows[1:]] == ["lamp", "snout", "tail", "all"]
    assert rows[1][3].strip() == "-"
    assert len({len(cell) for cell in [row[4] for row in rows]}) == 1, "numbers stand flush right"
    assert [row[0] for row in identity_rows(evaluation)] == ["is found as", "one", "two"]
    metrics = {row[0]: row[1:] for row in metric_rows(evaluation)}
    assert metrics["rmse_pcutoff"] == ["5.00", "pixels, of keypoints with a score of at least 0.6"]
    assert metrics["missed"][0] == "0"
    assert not any(name.startswith("id_head") for name in metrics)
