"""Promises about the jitter of boxes."""

from __future__ import annotations

import numpy as np
import pytest

from dlcore_plugins.albumentations_transforms.boxes import truncated_normal
from tests.dots import dotted_sample
from tests.plugins.albumentations_transforms.pipeline import make

BOX = (400.0, 300.0, 20.0, 10.0)


def jittered(count: int = 2000, box=BOX, **options):
    sample = dotted_sample()
    sample.image = np.zeros((600, 800, 3), np.uint8)
    sample.boxes = np.array([box] * count, np.float32)
    return make("random_bbox_transform", **options)(sample, np.random.default_rng(0)).boxes


def test_the_factors_are_those_of_deeplabcut():
    boxes = jittered(shift_prob=0.0)

    factors = boxes[:, 2:] / BOX[2:]
    assert factors.mean() == pytest.approx(0.979, abs=0.005)
    assert 0.75 <= factors.min() < 0.76
    assert 1.24 < factors.max() <= 1.2501
    np.testing.assert_allclose(boxes[:, :2] + boxes[:, 2:] / 2, [[410, 305]] * 2000, atol=1e-3)


def test_width_and_height_are_drawn_apart():
    factors = jittered(shift_prob=0.0)[:, 2:] / BOX[2:]

    assert abs(np.corrcoef(factors.T)[0, 1]) < 0.1


def test_boxes_move_as_often_and_as_far_as_asked():
    boxes = jittered(shift_factor=0.16, shift_prob=0.3, scale_prob=0.0)

    shifts = (boxes[:, :2] - BOX[:2]) / BOX[2:]
    moved = (shifts != 0).any(axis=1)
    assert moved.mean() == pytest.approx(0.3, abs=0.04)
    assert 0.15 < np.abs(shifts).max() <= 0.1601
    np.testing.assert_allclose(boxes[:, 2:], [BOX[2:]] * 2000, rtol=1e-5)


def test_boxes_are_cut_by_the_image():
    boxes = jittered(box=(795, 595, 20, 20), shift_prob=0.0)

    assert (boxes[:, :2] + boxes[:, 2:] <= [800, 600]).all()


def test_empty_boxes_stay_empty():
    assert not jittered(box=(0, 0, 0, 0), shift_prob=1.0).any()


@pytest.mark.parametrize(("low", "high"), [(-0.1, 0.1), (0.75, 1.25), (-3, 3), (1, 4), (2, 2)])
def test_the_truncated_normal_has_its_law(low, high):
    drawn = truncated_normal(low, high, (4000,), np.random.default_rng(0))

    grid = np.linspace(low, high, 2001)
    weights = np.exp(-(grid**2) / 2)
    assert low <= drawn.min() <= drawn.max() <= high
    assert drawn.mean() == pytest.approx((grid * weights).sum() / weights.sum(), abs=0.05)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match=r"scale_factor must be \[low, high\]"):
        make("random_bbox_transform", scale_factor=[0, 1])
    with pytest.raises(ValueError, match="shift_prob must be between 0 and 1"):
        make("random_bbox_transform", shift_prob=2)
