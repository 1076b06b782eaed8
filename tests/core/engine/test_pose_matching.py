"""Rows and areas behind the matching; the matching itself is tested through the metrics."""

from __future__ import annotations

import numpy as np

from dlcore.engine.pose_matching import Pairs, by_overlap, comparable, extents

ANIMAL = np.array([[[0.0, 0, 2], [10, 0, 2], [0, 20, 0]]])


def test_sorted_poses_know_their_rows() -> None:
    poses = np.array([ANIMAL[0], ANIMAL[0]])
    poses[:, :, 2] = [[0.2] * 3, [0.8] * 3]

    pairs = Pairs.of([poses], [ANIMAL])
    unsorted = Pairs.of([poses], [ANIMAL], sort=False)

    assert pairs.rows.tolist() == [[1, 0]]
    assert pairs.predicted[0, 0, 0, 2] == 0.8
    assert unsorted.rows.tolist() == [[0, 1]]


def test_a_keypoint_with_a_score_and_no_place_makes_a_pose_less_sure() -> None:
    poses = np.array([ANIMAL[0], ANIMAL[0], ANIMAL[0]])
    poses[:, :, 2] = [[0.5] * 3, [0.9, 0.9, 0.0], [0.9, 0.9, -1]]
    poses[1, 2, :2] = np.nan
    nothing = np.full((1, 3, 3), np.nan)

    pairs = Pairs.of([poses, nothing], [ANIMAL, ANIMAL])

    np.testing.assert_allclose(pairs.confidence[0], [0.9, 0.6, 0.5])
    assert pairs.rows[0].tolist() == [2, 1, 0]
    assert np.isnan(pairs.confidence[1]).all()


def test_extents_are_those_of_what_is_labelled() -> None:
    pairs = Pairs.of([ANIMAL], [ANIMAL])

    assert extents(pairs.true).tolist() == [[[10, 0]]]
    assert comparable(pairs.true)[0].tolist() == [[False]]
    assert comparable(pairs.true, margin=5)[0].tolist() == [[True]]
    assert comparable(pairs.true, margin=5)[1].tolist() == [[200]]
    assert len(by_overlap(pairs).image) == 0
