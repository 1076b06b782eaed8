"""Poses come in the order of the individuals that an identity head takes them for."""

import numpy as np
import torch

from dlcore.engine.identities import by_identity, identity_scores

MISSING = [-1.0, -1.0, -1.0]
NOWHERE = [np.nan, np.nan, 0.0]


def test_the_maps_are_read_at_the_nearest_pixel_of_each_keypoint():
    maps = torch.arange(2 * 4 * 5 * 2.0).reshape(2, 4, 5, 2)
    poses = torch.tensor([[[[1.6, 3.4, 0.9]]], [[[0.2, 0.8, 0.9]]]])

    scores = identity_scores(poses, maps)

    torch.testing.assert_close(scores[0, 0, 0], maps[0, 3, 2])
    torch.testing.assert_close(scores[1, 0, 0], maps[1, 1, 0])


def test_keypoints_beyond_the_edge_are_read_at_the_edge():
    maps = torch.arange(12.0).reshape(1, 3, 4, 1)
    poses = torch.tensor([[[[-7.0, 99.0, 0.9], [99.0, -7.0, 0.9]]]])

    assert identity_scores(poses, maps).flatten().tolist() == [maps[0, 2, 0, 0], maps[0, 0, 3, 0]]


def test_what_is_missing_looks_like_nobody():
    poses = torch.tensor([[[NOWHERE, MISSING, [1.0, 1.0, 0.5]]]])

    scores = identity_scores(poses, torch.ones(1, 4, 4, 2))

    assert scores[0, 0].tolist() == [[0, 0], [0, 0], [1, 1]]


def pose(*scores):
    """One whose keypoints can be told by their x."""
    return [[float(i), 0.0, score] for i, score in enumerate(scores)]


def test_each_individual_gets_the_pose_that_looks_most_like_it():
    poses = np.array([pose(0.9), pose(0.8)])
    scores = np.array([[[0.1, 0.7]], [[0.6, 0.5]]])

    np.testing.assert_array_equal(by_identity(poses, scores), poses[::-1])


def test_the_sum_decides_not_who_comes_first():
    poses = np.array([pose(0.9), pose(0.9)])
    scores = np.array([[[0.9, 0.8]], [[0.8, 0.1]]])  # 0.9 + 0.1 < 0.8 + 0.8

    np.testing.assert_array_equal(by_identity(poses, scores), poses[::-1])


def test_certain_keypoints_count_more():
    poses = np.array([pose(0.9, 0.1), pose(0.9, 0.1)])
    first = [[0.2, 0.8], [0.9, 0.0]]
    scores = np.array([first, [[0.5, 0.5], [0.5, 0.5]]])

    np.testing.assert_array_equal(by_identity(poses, scores), poses[::-1])


def test_individuals_that_nobody_looks_like_are_missing():
    poses = np.array([pose(0.9)])

    ordered = by_identity(poses, np.array([[[0.1, 0.2, 0.9]]]))

    assert np.isnan(ordered[:2]).all()
    np.testing.assert_array_equal(ordered[2], poses[0])


def test_a_missing_pose_takes_no_place_from_one_that_was_found():
    poses = np.array([[MISSING], pose(0.9)])

    ordered = by_identity(poses, np.array([[[0.0, 0.0]], [[0.9, 0.1]]]))

    np.testing.assert_array_equal(ordered[0], poses[1])
