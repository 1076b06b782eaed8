from __future__ import annotations

import numpy as np

from dlcore.inference.conditions import rescore, usable


def test_rescoring_multiplies_the_mean_of_confident_scores_with_that_of_the_condition() -> None:
    poses = np.array([[[1, 2, 0.9], [3, 4, 0.1], [5, 6, 0.5]]], np.float32)

    rescored = rescore(poses, np.array([[0.5, 0.7, 0.9]]))

    np.testing.assert_allclose(rescored[0, :, 2], 0.49, rtol=1e-6)
    assert np.array_equal(rescored[:, :, :2], poses[:, :, :2])
    assert poses[0, 0, 2] == np.float32(0.9)


def test_poses_without_a_confident_keypoint_score_nothing() -> None:
    poses = np.array([[[1, 2, 0.1], [3, 4, np.nan]], [[1, 2, 0.2], [3, 4, 0.1]]], np.float32)

    rescored = rescore(poses, np.array([[1.0, 1.0], [0.5, np.nan]]))

    np.testing.assert_allclose(rescored[:, 0, 2], [0, 0.05])


def test_no_poses_stay_none() -> None:
    assert rescore(np.zeros((0, 3, 3)), np.zeros((0, 3))).shape == (0, 3, 3)
    poses, boxes = usable(np.zeros((0, 3, 3)), (200, 100), 20)
    assert (poses.shape, boxes.shape) == ((0, 3, 3), (0, 4))


def test_boxes_hold_what_was_found_and_a_margin_within_the_image() -> None:
    pose = np.array([[[10, 20, 1], [50, 60, 0.5], [190, 90, 0], [np.nan, 5, 0.9]]])
    pose[0, 3, 2] = np.nan

    poses, boxes = usable(pose, (200, 100), 20)

    assert boxes.tolist() == [[0, 0, 70, 80]]
    assert np.isfinite(poses).all()


def test_poses_that_are_not_worth_a_crop_are_left_out() -> None:
    def pose(x: float, y: float, score: float) -> list[list[float]]:
        return [[x, y, score], [x + 4, y + 4, 0.01]]

    given = np.array([pose(30, 30, 0.04), pose(30, 30, 0.05), pose(300, 30, 1)])

    poses, boxes = usable(given, (200, 100), 0)

    assert poses[:, 0].tolist() == [[30, 30, np.float32(0.05)]]
    assert boxes.tolist() == [[30, 30, 4, 4]]
