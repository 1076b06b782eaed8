"""Which error belongs to which label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlcore.engine.keypoint_errors import keypoint_errors
from dlcore.engine.metrics import pose_metrics

ANIMAL = np.array([[0.0, 0, 2], [10, 0, 2], [0, 20, 2]])
OTHER = ANIMAL + np.array([100, 50, 0])


def moved(pose: np.ndarray, by: float, score: float = 0.9) -> np.ndarray:
    found = pose.copy()
    found[:, 0] += by
    found[:, 2] = score
    return found


def test_errors_stand_where_the_labels_are_in_whatever_order_poses_come() -> None:
    found = np.stack([moved(OTHER, 2, 0.5), moved(ANIMAL, 1, 0.9)])

    errors = keypoint_errors([found], [np.stack([ANIMAL, OTHER])])

    np.testing.assert_allclose(errors.distances[0], [[1, 1, 1], [2, 2, 2]])
    np.testing.assert_allclose(errors.scores[0], [[0.9] * 3, [0.5] * 3])
    assert errors.rows[0].tolist() == [1, 0]
    assert errors.sizes[0].tolist() == [20, 20]
    assert not errors.missed.any()


def test_an_animal_without_a_pose_is_missed() -> None:
    found = np.stack([moved(ANIMAL, 1), moved(ANIMAL, 2, 0.5), moved(ANIMAL, 900)])

    errors = keypoint_errors([found], [np.stack([OTHER, ANIMAL])])

    assert errors.missed[0].tolist() == [True, False]
    assert errors.rows[0].tolist() == [-1, 0]
    assert np.isnan(errors.distances[0, 0]).all()
    assert errors.labelled[0].all()


def test_an_animal_that_nothing_can_be_compared_with_is_not_called_missed() -> None:
    point = ANIMAL * [[1, 1, 1], [1, 1, 0], [1, 1, 0]]
    row = np.array([[0.0, 5, 2], [10, 5, 2], [20, 5, 2]])  # without an area

    errors = keypoint_errors([np.zeros((0, 3, 3))], [np.stack([point, row])])

    assert not errors.missed.any()
    assert errors.labelled[0].sum() == 4
    assert np.isnan(errors.sizes[0, 0])
    assert errors.sizes[0, 1] == 20


def test_a_single_animal_is_compared_with_the_best_pose_however_far() -> None:
    found = np.stack([moved(ANIMAL, 3, 0.2), moved(ANIMAL, 500, 0.9)])
    nothing = np.zeros((0, 3, 3))

    errors = keypoint_errors(
        [found, nothing, found], [ANIMAL[None]] * 2 + [nothing], single_animal=True
    )

    np.testing.assert_allclose(errors.distances[0, 0], 500)
    assert errors.rows[:, 0].tolist() == [1, -1, 1]
    assert errors.missed[:, 0].tolist() == [False, True, False]


def test_no_images_and_no_keypoints() -> None:
    assert keypoint_errors([], []).distances.shape[0] == 0
    none = keypoint_errors([np.zeros((1, 0, 3))], [np.zeros((1, 0, 3))], single_animal=True)
    assert none.distances.shape == (1, 1, 0)
    assert not none.missed.any()


REFERENCE = Path("peer/reference/metrics")


@pytest.mark.parametrize("case", ["single", "multi", "multi_poor", "overlapping_animals", "unique"])
def test_means_over_the_errors_are_the_metrics_of_the_reference(shared: Path, case: str) -> None:
    known = json.loads((shared / REFERENCE / "metrics.json").read_text())[case]
    data = np.load(shared / REFERENCE / f"{case}.npz")
    single = known["options"].get("single", False)

    errors = keypoint_errors(data["pred"], data["gt"], single_animal=single)

    distances, certain = [errors.distances], [errors.scores >= 0.6]
    if "gt_unique" in data:
        pairs = [a[:, None] if a.ndim == 3 else a for a in (data["pred_unique"], data["gt_unique"])]
        unique = keypoint_errors(*pairs, single_animal=True)
        distances.append(unique.distances)
        certain.append(unique.scores >= 0.6)
    pooled = np.concatenate([some.ravel() for some in distances])
    counted = np.concatenate([some.ravel() for some in certain])
    expected = known["result"]["pose"]
    assert np.nanmean(pooled) == pytest.approx(expected["rmse"], abs=1e-6)
    if expected["rmse_pcutoff"] is not None:
        assert np.nanmean(pooled[counted]) == pytest.approx(expected["rmse_pcutoff"], abs=1e-6)
    metrics = pose_metrics(data["pred"], data["gt"], single_animal=single, per_keypoint=True)
    for k, column in enumerate(errors.distances.reshape(-1, errors.distances.shape[2]).T):
        assert np.nanmean(column) == pytest.approx(metrics[f"rmse_keypoint_{k}"])
