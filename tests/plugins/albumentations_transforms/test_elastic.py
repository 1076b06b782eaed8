"""Promises about smooth displacement: points follow the pixels."""

from __future__ import annotations

import numpy as np

from dlcore_plugins.albumentations_transforms.elastic import displace
from tests.dots import PLACES, dotted_sample, find_dots
from tests.plugins.albumentations_transforms.pipeline import make


def test_points_follow_the_pixels():
    """A wobble differs across a dot, so that its centre and its keypoint part a little."""
    transform = make("elastic_transform", p=1.0)
    errors, moves = [], []
    for seed in range(30):
        sample = transform(dotted_sample(radius=1.2), np.random.default_rng(seed))
        found, points = find_dots(sample.image), sample.keypoints[0, :, :2]
        errors.append(np.linalg.norm(points - found, axis=1))
        moves.append(np.linalg.norm(points - PLACES, axis=1))

    assert np.max(errors) < 0.5
    assert np.mean(errors) < 0.15
    assert 0.4 < np.mean(moves) < 1.5


def test_a_point_is_where_its_pixel_is_shown():
    rows, columns = np.mgrid[:60, :80] + 0.5
    field = np.stack([2 * np.sin(rows / 7), 1.5 * np.cos(columns / 9)]).astype(np.float32)
    shown_at = np.array([[20.5, 30.5, 2], [50.5, 10.5, 1], [70.5, 44.5, 0]], np.float32)
    row, column = shown_at[:, 1].astype(int), shown_at[:, 0].astype(int)
    originals = shown_at.copy()
    originals[:, :2] += field[:, row, column].T

    np.testing.assert_allclose(displace(originals, field), shown_at, atol=0.01)


def test_points_outside_and_lost_points_stay_what_they_are():
    field = np.zeros((2, 10, 10), np.float32)
    points = np.array([[-5, 50, 2], [np.nan, np.nan, 2]], np.float32)

    np.testing.assert_array_equal(displace(points, field), points)
