from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcore.engine.metrics import detection_metrics, identity_accuracy, pose_metrics

TRIANGLE = np.array([[[0.0, 0, 2], [10, 0, 2], [0, 20, 2]]])
NAMES = {"rmse", "rmse_pcutoff", "mAP", "mAR"}


def moved(poses: np.ndarray, by: float, score: float = 0.9) -> np.ndarray:
    """Predictions that lie `by` pixels to the right of the truth."""
    predicted = poses.astype(float).copy()
    predicted[..., 0] += by
    predicted[..., 2] = score
    return predicted


def average_precision(predicted: np.ndarray, true: np.ndarray, **options: Any) -> float:
    return pose_metrics([predicted], [true], **options)["mAP"]


# Parity with the reference


REFERENCE = Path("peer/reference/metrics")
CASES = [
    *("single", "single_as_multi", "perfect", "multi", "multi_pcutoff_list", "multi_oks_margin"),
    *("multi_oks_sigma", "multi_poor", "more_predictions", "fewer_predictions", "no_predictions"),
    *("overlapping_animals", "unique", "paf_five_columns", "identity"),
]


def test_no_reference_case_is_forgotten(shared: Path) -> None:
    files = {path.stem for path in (shared / REFERENCE).glob("*.npz")}

    assert files - set(CASES) == {"bbox", "bbox_none_found"}


@pytest.mark.parametrize("case", CASES)
def test_metrics_equal_the_reference(shared: Path, case: str) -> None:
    known = json.loads((shared / REFERENCE / "metrics.json").read_text())[case]
    data = np.load(shared / REFERENCE / f"{case}.npz")
    given = known["options"]
    points: dict[str, Any] = {"pcutoff": given.get("pcutoff", 0.6)}
    if "gt_unique" in data:
        points |= {"unique_truth": data["gt_unique"], "unique_predictions": data["pred_unique"]}

    computed = pose_metrics(
        data["pred"],
        data["gt"],
        oks_sigma=given.get("sigma", 0.1),
        oks_margin=given.get("margin", 0),
        single_animal=given.get("single", False),
        per_keypoint=given.get("per_keypoint", False),
        **points,
    )
    if "rmse_detections" in known["result"]["pose"]:
        computed |= detection_metrics(data["pred"], data["gt"], **points)

    expected = {k: np.nan if v is None else v for k, v in known["result"]["pose"].items()}
    assert computed == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_identity_accuracy_equals_the_reference(shared: Path) -> None:
    known = json.loads((shared / REFERENCE / "metrics.json").read_text())["identity"]["result"]
    data = np.load(shared / REFERENCE / "identity.npz")

    computed = identity_accuracy(data["pred"], data["gt"], data["identity_scores"])

    assert computed == pytest.approx(list(known["identity"].values()), abs=1e-6)


# What the numbers mean


def test_oks_of_one_pixel_off() -> None:
    """OKS is exp(-1/16) = 0.9394: above nine of the ten thresholds."""
    assert average_precision(moved(TRIANGLE, 1.0), TRIANGLE) == pytest.approx(90.0)


def test_one_of_two_animals_found_and_one_false_alarm() -> None:
    true = np.concatenate([TRIANGLE, TRIANGLE + np.array([500, 500, 0])])
    predicted = np.concatenate([moved(TRIANGLE, 1.0, 0.9), moved(TRIANGLE, 2000.0, 0.8)])

    metrics = pose_metrics([predicted], [true])

    assert metrics["mAP"] == pytest.approx(45.45, abs=0.01)
    assert metrics["mAR"] == pytest.approx(45.0)


def test_a_second_prediction_of_the_same_animal_is_a_false_alarm() -> None:
    twice = np.concatenate([moved(TRIANGLE, 0.0, 0.8), moved(TRIANGLE, 0.5, 0.9)])

    metrics = pose_metrics([twice], [TRIANGLE])

    assert metrics["mAR"] == 100.0
    assert metrics["mAP"] == pytest.approx(100.0), "the false alarm comes after the hit"
    assert metrics["rmse"] == pytest.approx(0.5), "the prediction of higher score has the animal"


def test_a_false_alarm_of_higher_score_in_another_image_costs_precision() -> None:
    nothing = np.zeros((0, 3, 3))

    metrics = pose_metrics(
        [moved(TRIANGLE, 0.0, 0.5), moved(TRIANGLE, 0.0, 0.9)], [TRIANGLE, nothing]
    )

    assert metrics["mAP"] == pytest.approx(50.0)
    assert metrics["mAR"] == 100.0


def test_distance_of_a_far_prediction_counts_for_a_single_animal_only() -> None:
    predicted = moved(TRIANGLE, 501.0)

    assert pose_metrics([predicted], [TRIANGLE], single_animal=True)["rmse"] == 501.0
    assert np.isnan(pose_metrics([predicted], [TRIANGLE])["rmse"])


def test_a_single_animal_is_compared_with_the_prediction_of_highest_score() -> None:
    predicted = np.concatenate([moved(TRIANGLE, 70.0, 0.3), moved(TRIANGLE, 2.0, 0.7)])

    assert pose_metrics([predicted], [TRIANGLE], single_animal=True)["rmse"] == 2.0


def test_missing_keypoints_are_left_out_of_the_distance_and_cost_oks() -> None:
    predicted = moved(TRIANGLE, 0.0)
    predicted[0, 0] = np.nan
    predicted[0, 1, 2] = -1.0
    true = np.concatenate([TRIANGLE, np.full((1, 1, 3), 7.0) * [1, 1, 0]], axis=1)
    predicted = np.concatenate([predicted, np.full((1, 1, 3), 300.0)], axis=1)

    metrics = pose_metrics([predicted], [true])

    assert metrics["rmse"] == 0.0
    assert metrics["mAR"] == 0.0, "one of three keypoints found is an OKS of 1/3"


def test_pcutoff_leaves_uncertain_keypoints_out() -> None:
    predicted = moved(TRIANGLE, 0.0)
    predicted[0, 0] = [3.0, 4.0, 0.2]

    metrics = pose_metrics([predicted], [TRIANGLE])

    assert metrics["rmse"] == pytest.approx(5 / 3)
    assert metrics["rmse_pcutoff"] == 0.0


def test_order_of_animals_and_padding_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    true = [rng.uniform(1, 100, (3, 5, 3)) for _ in range(6)]
    predicted = [t + rng.normal(0, 3, t.shape) * [1, 1, 0] for t in true]
    for poses in predicted:
        poses[..., 2] = rng.uniform(0.1, 1, poses.shape[:2])
    expected = pose_metrics(predicted, true)

    shuffled = [np.concatenate([t[::-1], np.zeros((2, 5, 3))]) for t in true]
    padded = [np.concatenate([np.full((4, 5, 3), -1.0), p[[2, 0, 1]]]) for p in predicted]

    assert pose_metrics(padded, shuffled) == pytest.approx(expected)


def test_sigmas_may_differ_between_keypoints() -> None:
    predicted = moved(TRIANGLE, 3.0)
    precise = average_precision(predicted, TRIANGLE, oks_sigma=0.1)

    lenient = average_precision(predicted, TRIANGLE, oks_sigma=[0.1, 0.1, 1.0])

    assert lenient > precise


# The edges


def test_nothing_predicted() -> None:
    metrics = pose_metrics([np.zeros((0, 3, 3))], [TRIANGLE])

    assert metrics == pytest.approx(
        {"rmse": np.nan, "rmse_pcutoff": np.nan, "mAP": 0.0, "mAR": 0.0}, nan_ok=True
    )


def test_nothing_labelled() -> None:
    metrics = pose_metrics([moved(TRIANGLE, 0.0)], [np.zeros((1, 3, 3))])

    assert set(metrics) == NAMES
    assert all(np.isnan(value) for value in metrics.values())


def test_no_images() -> None:
    assert set(pose_metrics([], [])) == NAMES
    assert set(detection_metrics([], [])) == {"rmse_detections", "rmse_detections_pcutoff"}


def test_an_animal_without_extent_has_no_oks() -> None:
    line = np.array([[[0.0, 5, 2], [10, 5, 2], [20, 5, 2]]])

    metrics = pose_metrics([moved(line, 0.0)], [line])

    assert metrics["mAR"] == 0.0
    assert np.isnan(metrics["rmse"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truth": [TRIANGLE, TRIANGLE]}, "predictions for 1 images and labels for 2"),
        ({"truth": [TRIANGLE[:, :2]]}, "numbers of keypoints differ: 2, 3"),
        ({"pcutoff": [0.1, 0.2]}, "pcutoff has 2 values for 3 keypoints"),
        ({"oks_sigma": [0.1, 0.2]}, "oks_sigma has 2 values for 3 keypoints"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    given = {"predictions": [moved(TRIANGLE, 0.0)], "truth": [TRIANGLE]} | arguments

    with pytest.raises(ValueError, match=message):
        pose_metrics(**given)


def test_the_arguments_stay_as_they_are() -> None:
    predicted, true = moved(TRIANGLE, 1.0), TRIANGLE.copy()
    predicted[0, 0, 2] = -1.0
    before = predicted.copy()

    pose_metrics([predicted], [true])

    assert np.array_equal(predicted, before)
    assert np.array_equal(true, TRIANGLE)


def test_a_thousand_images_of_four_animals_take_well_under_a_second() -> None:
    rng = np.random.default_rng(0)
    places = np.arange(4)[:, None, None] * [200, 0, 0]
    true = [rng.uniform(0, 100, (4, 20, 3)) + places + [0, 0, 1] for _ in range(1000)]
    predicted = [t + rng.normal(0, 5, t.shape) * [1, 1, 0] for t in true]

    start = time.process_time()
    pose_metrics(predicted, true)

    assert time.process_time() - start < 1.0
