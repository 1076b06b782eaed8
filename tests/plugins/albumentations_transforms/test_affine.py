"""Promises about the laws of affine maps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.dots import HEIGHT, WIDTH, dotted_sample
from tests.plugins.albumentations_transforms.pipeline import make

DRAWS = 300


def matrices(key: str = "affine", **options):
    transform = make(key, p=1.0, **options)
    warps = [
        transform.warp(dotted_sample(), (WIDTH, HEIGHT), np.random.default_rng(seed))
        for seed in range(DRAWS)
    ]
    assert {warp.size for warp in warps} == {(WIDTH, HEIGHT)}
    return np.array([warp.matrix for warp in warps])


def parts(found):
    """Scale, degrees, shift of the centre and difference from a similarity, of each matrix."""
    linear = found[:, :, :2]
    scales = np.sqrt(np.linalg.det(linear))
    degrees = np.rad2deg(
        np.arctan2(linear[:, 0, 1] - linear[:, 1, 0], np.trace(linear, axis1=1, axis2=2))
    )
    centre = np.array([WIDTH, HEIGHT]) / 2
    shifts = linear @ centre + found[:, :, 2] - centre
    shear = np.abs(linear[:, 0, 0] - linear[:, 1, 1]) + np.abs(linear[:, 0, 1] + linear[:, 1, 0])
    return scales, degrees, shifts, shear


def test_each_option_has_its_law():
    scales, degrees, shifts, shear = parts(
        matrices(rotation=30, scaling=[0.5, 1.25], translation=4)
    )

    assert 0.5 <= scales.min() < 0.55
    assert 1.2 < scales.max() <= 1.25
    assert -30 <= degrees.min() < -28
    assert 28 < degrees.max() <= 30
    assert set(np.round(shifts, 6).ravel()) == set(range(-4, 5))
    assert shear.max() < 1e-9


def test_scale_and_rotation_are_uniform():
    scales, degrees, _, _ = parts(matrices(rotation=30, scaling=[0.5, 1.25]))

    assert scales.mean() == pytest.approx(0.875, abs=0.04)
    assert (scales < 0.6875).mean() == pytest.approx(0.25, abs=0.08)
    assert (degrees < -15).mean() == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize(
    ("options", "fixed"),
    [
        ({"rotation": 10}, {"scale", "shift"}),
        ({"scaling": [0.5, 2]}, {"rotation", "shift"}),
        ({"translation": 3}, {"scale", "rotation"}),
    ],
)
def test_what_is_left_out_changes_nothing(options, fixed):
    scales, degrees, shifts, _ = parts(matrices(**options))

    still = {
        "scale": np.allclose(scales, 1),
        "rotation": np.allclose(degrees, 0),
        "shift": np.allclose(shifts, 0),
    }
    assert {name for name, value in still.items() if value} == fixed


def test_without_options_the_defaults_of_the_library_hold():
    scales, degrees, shifts, shear = parts(matrices())

    assert 0.85 < scales.min() < 0.95
    assert 1.05 < scales.max() < 1.15
    assert 10 < np.abs(degrees).max() < 27  # up to 15 and the turn that shear brings
    assert 0.09 < np.abs(shifts / [WIDTH, HEIGHT]).max() <= 0.1 + 1e-9
    assert shear.max() > 0.1


def test_scale_jitter_scales_and_nothing_else():
    scales, degrees, shifts, shear = parts(matrices("scale_jitter", scaling=[0.8, 1.2]))

    assert 0.8 <= scales.min() < 0.82
    assert 1.18 < scales.max() <= 1.2
    assert max(np.abs(degrees).max(), np.abs(shifts).max(), shear.max()) < 1e-9


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rotation": -1}, "rotation must be at least 0, got -1"),
        ({"translation": -1}, "translation must be at least 0, got -1"),
        ({"scaling": [1.2, 0.8]}, r"scaling must be \[low, high\].*got \[1.2, 0.8\]"),
        ({"scaling": [0, 1]}, r"scaling must be"),
        ({"scaling": [1]}, r"scaling must be"),
    ],
)
def test_wrong_options_are_refused(options, what):
    with pytest.raises(ValueError, match=what):
        make("affine", **options)
