"""Promises about pixel values: the laws of colour and noise, and that nothing moves."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from dlcore_plugins.albumentations_transforms import noise
from tests.dots import dotted_sample
from tests.plugins.albumentations_transforms.pipeline import make

PHOTO = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8), (0, 0), 3
)


def changed(key: str, image: np.ndarray = PHOTO, seed: int = 0, **options) -> np.ndarray:
    sample = dotted_sample()
    sample.image = image
    transform = make(key, p=1.0, **options)
    return transform(sample, np.random.default_rng(seed)).image


def test_equalisation_spreads_the_values_of_each_channel():
    image = changed("hist_eq")

    for channel in range(3):
        expected = cv2.equalizeHist(np.ascontiguousarray(PHOTO[..., channel]))
        np.testing.assert_array_equal(image[..., channel], expected)


def test_motion_blur_smears_over_3_to_7_pixels_and_moves_nothing():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    lengths = []
    for seed in range(60):
        smeared = changed("motion_blur", point, seed)[..., 0].astype(float)
        rows, columns = np.nonzero(smeared)
        lengths.append(max(np.ptp(rows), np.ptp(columns)) + 1)
        centre = np.array([(smeared.sum(1) @ range(41)), (smeared.sum(0) @ range(41))])
        np.testing.assert_allclose(centre / smeared.sum(), [20, 20], atol=0.35)

    assert min(lengths) <= 3
    assert 5 <= max(lengths) <= 7


def test_grey_takes_half_to_all_of_the_colour():
    grey = cv2.cvtColor(PHOTO, cv2.COLOR_RGB2GRAY).astype(float)
    shares = []
    for seed in range(100):
        image = changed("grayscale", seed=seed).astype(float)
        left = (image - grey[..., None]).std() / (PHOTO - grey[..., None]).std()
        shares.append(1 - left)

    assert 0.49 < min(shares) < 0.56
    assert 0.94 < max(shares) < 1.01
    assert np.mean(shares) == pytest.approx(0.75, abs=0.05)


def test_ten_black_patches_cover_points():
    white = np.full((400, 300, 3), 255, np.uint8)
    sample = dotted_sample()
    grid = np.mgrid[5:300:10, 5:400:10].reshape(2, -1).T + 0.5
    sample.image = white
    sample.keypoints = np.concatenate([grid, np.full((len(grid), 1), 2)], 1)[None].astype(
        np.float32
    )
    transform = make("covering", p=1.0)

    after = transform(sample, np.random.default_rng(1))

    covered = (after.image == 0).all(axis=2)
    count, _, stats, _ = cv2.connectedComponentsWithStats(covered.astype(np.uint8))
    assert 8 <= count - 1 <= 10  # some may overlap
    sides = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    assert (sides >= [3, 4]).all()
    alone = stats[1:, cv2.CC_STAT_AREA] == sides.prod(axis=1)
    assert (sides[alone] <= [15, 20]).all()
    under = covered[grid[:, 1].astype(int), grid[:, 0].astype(int)]
    assert under.any()
    np.testing.assert_array_equal(np.isnan(after.keypoints[0, :, 0]), under)
    assert (after.image[~covered] == 255).all()


def test_the_variance_of_noise_is_uniform_up_to_sigma_squared():
    grey = np.full((64, 64, 3), 128, np.uint8)
    residues = [
        changed("gaussian_noise", grey, seed, sigma=20).astype(float) - 128 for seed in range(400)
    ]
    variances = np.array([residue.var() for residue in residues])

    assert variances.mean() == pytest.approx(200, rel=0.08)
    assert variances.max() == pytest.approx(400, rel=0.05)
    assert (variances < 100).mean() == pytest.approx(0.25, abs=0.06)
    assert np.mean(residues) == pytest.approx(0, abs=0.1)


def test_noise_is_normal_and_independent_between_pixels_and_channels():
    grey = np.full((200, 200, 3), 128, np.uint8)
    residue = changed("gaussian_noise", grey, 4, sigma=20).astype(float) - 128
    unit = residue / residue.std()

    assert (np.abs(unit) < 1).mean() == pytest.approx(0.683, abs=0.02)
    assert (np.abs(unit) < 2).mean() == pytest.approx(0.954, abs=0.01)
    assert abs((unit[..., 0] * unit[..., 1]).mean()) < 0.02
    assert abs((unit[1:] * unit[:-1]).mean()) < 0.02


def test_noise_stays_within_bytes():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32] = 255

    noisy = changed("gaussian_noise", image, sigma=30)

    assert noisy[:32].min() > 60
    assert noisy[32:].max() < 200


def test_large_images_get_noise_everywhere(monkeypatch):
    monkeypatch.setattr(noise, "_CHUNK", 1000)
    grey = np.full((50, 61, 3), 128, np.uint8)

    residue = changed("gaussian_noise", grey, 3).astype(float) - 128

    assert residue[:5].std() == pytest.approx(residue[-5:].std(), rel=0.2)
    assert not np.array_equal(residue.ravel()[:1000], residue.ravel()[1000:2000])


def test_sigma_defaults_to_what_is_documented():
    assert make("gaussian_noise").sigma == 12.75
    with pytest.raises(ValueError, match="sigma must be at least 0, got -1"):
        make("gaussian_noise", sigma=-1)


def test_the_library_is_imported_only_for_what_needs_it():
    program = (
        "import sys\n"
        "from dlcore.interfaces import PoseTask\n"
        "from dlcore_plugins.albumentations_transforms import colour, noise, affine, crop\n"
        "task = PoseTask(('a',))\n"
        "crop.CropSampling(task, width=5, height=5)\n"
        "affine.Affine(task), noise.GaussianNoise(task)\n"
        "assert 'albumentations' not in sys.modules\n"
        "colour.MotionBlur(task)\n"
        "assert 'albumentations' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
