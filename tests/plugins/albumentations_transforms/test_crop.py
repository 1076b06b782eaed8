"""Promises about windows: where they lie, and which keypoints draw them."""

from __future__ import annotations

import numpy as np
import pytest

from dlcore.data.samples import finish_sample
from dlcore_plugins.albumentations_transforms.crop import count_within
from tests.dots import HEIGHT, WIDTH, dotted_sample
from tests.plugins.albumentations_transforms.pipeline import make


def sample_with(points, unique=()):
    sample = dotted_sample()
    sample.keypoints = np.array([points], np.float32)
    sample.unique_keypoints = np.array(unique, np.float32).reshape(-1, 3)
    return sample


def corners(sample_of, count=300, **options):
    """Top-left corners (count, 2) of the windows, in pixels of the image."""
    transform = make("crop_sampling", **options)
    found = []
    for seed in range(count):
        warp = transform.warp(sample_of(), (WIDTH, HEIGHT), np.random.default_rng(seed))
        assert warp.size == (options["width"], options["height"])
        found.append(-warp.matrix[:, 2])
    return np.array(found)


def test_uniform_windows_lie_anywhere_inside():
    found = corners(dotted_sample, 2000, width=90, height=70, method="uniform")

    assert {tuple(corner) for corner in found} == {(x, y) for x in range(7) for y in range(3)}


def test_a_window_of_the_size_of_the_image_is_the_image():
    transform = make("crop_sampling", width=WIDTH, height=HEIGHT)

    after = transform(dotted_sample(), np.random.default_rng(0))

    np.testing.assert_array_equal(after.image, dotted_sample().image)


def test_smaller_images_are_centred_on_black():
    sample = dotted_sample()
    sample.image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)

    after = make("crop_sampling", width=WIDTH + 7, height=HEIGHT + 20)(
        sample, np.random.default_rng(0)
    )

    assert after.image.shape == (HEIGHT + 20, WIDTH + 7, 3)
    assert (after.image[10 : 10 + HEIGHT, 3 : 3 + WIDTH] == 255).all()
    assert int((after.image > 0).sum()) == 3 * WIDTH * HEIGHT


def test_the_keypoint_keeps_its_relative_place():
    found = corners(
        lambda: sample_with([(24, 54, 2)]), width=46, height=32, max_shift=0, method="keypoints"
    )

    # floor((96 - 46 + 1) * 24 / 96) and floor((72 - 32 + 1) * 54 / 72)
    assert {tuple(corner) for corner in found} == {(12, 30)}


def test_the_shift_is_never_to_the_left_and_at_most_what_was_asked():
    found = corners(
        lambda: sample_with([(24, 18, 2)]), width=48, height=36, max_shift=9, method="keypoints"
    )

    starts = found / [WIDTH - 48 + 1, HEIGHT - 36 + 1]
    assert starts.min() > 0.2
    assert 0.4 < starts.max() <= 0.25 + 0.4 / 2


@pytest.mark.parametrize("method", ["keypoints", "density"])
@pytest.mark.parametrize(
    "hidden",
    [(0, 0, 0), (70, 60, 0), (70, 60, -1), (np.nan, np.nan, 2), (-20, -20, 2), (500, 10, 2)],
)
def test_only_visible_keypoints_draw_windows(method, hidden):
    """DeepLabCut takes missing keypoints for real ones at (0, 0)."""
    points = [(24, 54, 2), *[hidden] * 9]

    found = corners(
        lambda: sample_with(points), width=46, height=32, max_shift=0, method=method, count=60
    )

    assert {tuple(corner) for corner in found} == {(12, 30)}


def test_unique_keypoints_draw_windows_too():
    found = corners(
        lambda: sample_with([(0, 0, 0)], unique=[(24, 54, 2)]),
        width=46,
        height=32,
        max_shift=0,
        method="keypoints",
        count=60,
    )

    assert {tuple(corner) for corner in found} == {(12, 30)}


def test_density_prefers_keypoints_with_neighbours():
    points = [(10, 10, 2), (12, 10, 2), (10, 13, 2), (90, 65, 2)]

    found = corners(
        lambda: sample_with(points), 1000, width=48, height=36, max_shift=0, method="density"
    )

    assert (found[:, 0] > 24).mean() == pytest.approx(0.1, abs=0.03)  # 1 of 3 + 3 + 3 + 1


def test_hybrid_is_half_uniform_half_density():
    found = corners(
        lambda: sample_with([(24, 54, 2)]), 1000, width=46, height=32, max_shift=0, method="hybrid"
    )

    assert (found == (12, 30)).all(axis=1).mean() == pytest.approx(0.5, abs=0.05)


def test_images_without_keypoints_are_cut_anywhere():
    found = corners(lambda: sample_with([(0, 0, 0)]), width=90, height=70, method="density")

    assert len({tuple(corner) for corner in found}) == 21


def test_keypoints_and_boxes_outside_the_window_are_gone():
    sample = sample_with([(1, 1, 2), (95, 71, 2)])
    sample.boxes = np.array([[0, 0, 3, 3], [90, 66, 5, 5], [0, 0, 96, 72]], np.float32)

    cut = make("crop_sampling", width=30, height=30, max_shift=0, method="keypoints")(
        sample, np.random.default_rng(1)
    )
    after = finish_sample(cut)

    assert sorted(after.keypoints[0, :, 2]) == [0, 2]
    assert sorted((after.boxes[:, 2] * after.boxes[:, 3]).tolist()) == [
        0,
        pytest.approx(20, abs=6),
        900,
    ]


def test_neighbours_are_counted_with_the_point_itself():
    points = np.array([[0.0, 0], [3, 4], [10, 0]])

    np.testing.assert_array_equal(count_within(points, 5), [2, 2, 1])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"width": 0, "height": 5}, "width must be at least 1, got 0"),
        ({"width": 5, "height": -2}, "height must be at least 1, got -2"),
        ({"width": 5, "height": 5, "max_shift": -1}, "max_shift must be at least 0, got -1"),
    ],
)
def test_wrong_options_are_refused(options, what):
    with pytest.raises(ValueError, match=what):
        make("crop_sampling", **options)
