"""Promises about warps: points, boxes and `to_network` go where the pixels go."""

from __future__ import annotations

import numpy as np
import pytest

from dlcore.interfaces import GeometricTransform, PoseTask, Warp
from dlcore.interfaces.geometry import (
    apply_warps,
    compose,
    identity,
    invert,
    scaling,
    swap_pairs,
    transform_boxes,
    transform_points,
    translation,
    warp_image,
)
from tests.dots import HEIGHT, PLACES, WIDTH, assert_points_follow_dots, dotted_sample, find_dots

RNG = np.random.default_rng(0)
TASK = PoseTask(("a", "b", "c"))
NOISE = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def rotation(degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turn = np.array([[cosine, sine, 0], [-sine, cosine, 0]])
    return compose(translation(WIDTH / 2, HEIGHT / 2), turn, translation(-WIDTH / 2, -HEIGHT / 2))


MIRROR = np.array([[-1.0, 0, WIDTH], [0, 1, 0]])


class Fixed(GeometricTransform):
    """Always the same warp."""

    def __init__(self, warp: Warp | None) -> None:
        self.fixed = warp
        self.sizes: list[tuple[int, int]] = []

    def warp(self, sample, size, rng):
        self.sizes.append(size)
        return self.fixed


WARPS = {
    "nothing": (identity(), (WIDTH, HEIGHT)),
    "whole pixels": (translation(3, -5), (WIDTH, HEIGHT)),
    "half a pixel": (translation(0.5, 0.25), (WIDTH, HEIGHT)),
    "crop": (translation(-10, -7), (70, 60)),
    "pad": (translation(8, 4), (WIDTH + 20, HEIGHT + 9)),
    "twice as large": (scaling(2, 2), (2 * WIDTH, 2 * HEIGHT)),
    "half as large": (scaling(0.5, 0.5), (WIDTH // 2, HEIGHT // 2)),
    "stretch": (scaling(1.5, 0.75), (144, 54)),
    "resize, then crop": (compose(translation(-4, -6), scaling(1.5, 1.5)), (120, 90)),
    "any scale": (scaling(0.83, 0.83), (WIDTH, HEIGHT)),
    "mirror": (MIRROR, (WIDTH, HEIGHT)),
    "mirror, larger, moved": (compose(translation(5, 1), scaling(2, 2), MIRROR), (200, 150)),
    "upside down": (np.array([[1.0, 0, 0], [0, -1, HEIGHT]]), (WIDTH, HEIGHT)),
    "rotation": (rotation(30), (WIDTH, HEIGHT)),
    "quarter turn": (rotation(90), (WIDTH, HEIGHT)),
    "everything": (compose(translation(2.3, 1.7), rotation(-20), scaling(0.9, 0.9)), (90, 80)),
}


@pytest.mark.parametrize(("matrix", "size"), WARPS.values(), ids=WARPS.keys())
def test_points_go_where_the_pixels_go(matrix, size):
    sample = apply_warps([Fixed(Warp(matrix, size))], dotted_sample(), RNG)

    assert sample.image.shape == (size[1], size[0], 3)
    assert assert_points_follow_dots(sample) == 3
    np.testing.assert_allclose(
        transform_points(PLACES, sample.to_network), sample.keypoints[0, :, :2], atol=1e-4
    )


def test_a_chain_of_warps_is_one_interpolation():
    """Moving by half a pixel and back would blur an image that is interpolated twice."""
    sample = dotted_sample()
    sample.image = NOISE
    there, back = translation(0.5, 0.5), translation(-0.5, -0.5)

    moved = apply_warps(
        [Fixed(Warp(there, (WIDTH, HEIGHT))), Fixed(None), Fixed(Warp(back, (WIDTH, HEIGHT)))],
        sample,
        RNG,
    )

    np.testing.assert_array_equal(moved.image, NOISE)
    np.testing.assert_array_equal(moved.to_network, identity())


def test_each_transform_sees_labels_and_size_as_they_are_then():
    first = Fixed(Warp(translation(-10, 0), (50, 40)))
    seen = []

    class Looking(Fixed):
        def warp(self, sample, size, rng):
            seen.append((size, sample.keypoints[0, 0, 0]))
            return

    apply_warps([first, Looking(None)], dotted_sample(), RNG)

    assert seen == [((50, 40), pytest.approx(20.5))]


@pytest.mark.parametrize("degrees", [17, 90])
def test_matrices_compose_like_warps_one_after_the_other(degrees):
    first, second = Warp(rotation(degrees), (WIDTH, HEIGHT)), Warp(scaling(1.5, 1.5), (144, 108))

    together = apply_warps([Fixed(first), Fixed(second)], dotted_sample(), RNG)
    apart = apply_warps([Fixed(first)], dotted_sample(), RNG)
    apart = apply_warps([Fixed(second)], apart, RNG)

    np.testing.assert_allclose(together.to_network, apart.to_network, atol=1e-9)
    np.testing.assert_allclose(together.keypoints, apart.keypoints, atol=1e-4)
    np.testing.assert_allclose(find_dots(together.image), find_dots(apart.image), atol=0.1)


def test_outside_of_the_image_is_black():
    white = np.full((10, 10, 3), 255, np.uint8)

    padded = warp_image(white, translation(2, 3), (20, 20))

    assert padded.sum() == white.sum()
    assert (padded[3:13, 2:12] == 255).all()


@pytest.mark.parametrize("move", [(-50, 0), (0, 50), (200, 200)])
def test_an_image_may_leave_the_frame_altogether(move):
    assert not warp_image(np.full((10, 10, 3), 255, np.uint8), translation(*move), (20, 20)).any()


def test_the_image_that_is_passed_is_not_changed():
    image = NOISE.copy()
    image.flags.writeable = False  # as an image of the cache

    for matrix, size in WARPS.values():
        warp_image(image, matrix, size)

    np.testing.assert_array_equal(image, NOISE)


def test_mirroring_and_moving_copy_pixels_exactly():
    np.testing.assert_array_equal(warp_image(NOISE, MIRROR, (WIDTH, HEIGHT)), NOISE[:, ::-1])
    np.testing.assert_array_equal(
        warp_image(NOISE, translation(-3, -4), (20, 10)), NOISE[4:14, 3:23]
    )


@pytest.mark.parametrize("corner", [(3, 4), (-5, 2)], ids=["inside", "beyond the edge"])
def test_a_part_of_whole_pixels_is_enlarged_to_the_nearest_grey(corner):
    """As crops of individuals are; a warp in steps of 1/32 pixel is several greys off in noise."""
    side, size = 15, 64
    matrix = compose(scaling(size / side, size / side), translation(-corner[0], -corner[1]))

    enlarged = warp_image(NOISE, matrix, (size, size))

    framed = np.pad(NOISE, ((9, 9), (9, 9), (0, 0)))
    part = framed[9 + corner[1] :, 9 + corner[0] :][:side, :side].astype(float)
    places = ((np.arange(size) + 0.5) * side / size - 0.5).clip(0, side - 1)
    low = np.floor(places).astype(int).clip(max=side - 2)
    share = places - low
    rows = part[low] * (1 - share)[:, None, None] + part[low + 1] * share[:, None, None]
    share = share[None, :, None]
    expected = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    assert np.abs(enlarged - expected).max() < 1


def test_smooth_shrinking_averages_all_pixels():
    checks = np.zeros((40, 40, 3), np.uint8)
    checks[::4] = 255

    smooth = warp_image(checks, scaling(0.125, 0.125), (5, 5), smooth=True)
    linear = warp_image(checks, scaling(0.125, 0.125), (5, 5))

    assert np.ptp(smooth) == 0
    assert abs(int(smooth[0, 0, 0]) - 64) <= 1
    assert int(linear[0, 0, 0]) == 128


def test_a_mirror_swaps_pairs_in_every_individual():
    sample = dotted_sample()
    sample.keypoints = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    sample.unique_keypoints = np.arange(6, dtype=np.float32).reshape(2, 3)
    warp = Warp(identity(), (WIDTH, HEIGHT), swaps=((0, 2),), unique_swaps=((0, 1),))

    swapped = apply_warps([Fixed(warp)], sample, RNG)

    assert swapped.keypoints[:, :, 2].tolist() == [[8, 5, 2], [17, 14, 11]]
    assert swapped.unique_keypoints[:, 2].tolist() == [5, 2]


def test_points_keep_what_follows_x_and_y_and_nan_stays():
    points = np.array([[1, 2, 0.5, 7], [np.nan, np.nan, 2, 8]])

    moved = transform_points(points, translation(10, 20))

    np.testing.assert_array_equal(moved, [[11, 22, 0.5, 7], [np.nan, np.nan, 2, 8]])


@pytest.mark.parametrize("matrix", [m for m, _ in WARPS.values()], ids=WARPS.keys())
def test_the_inverse_undoes(matrix):
    there = transform_points(PLACES, matrix)

    np.testing.assert_allclose(transform_points(there, invert(matrix)), PLACES, atol=1e-9)


def test_a_map_that_flattens_the_plane_has_no_inverse():
    with pytest.raises(ValueError, match="cannot be inverted"):
        invert(scaling(1, 0))


def test_boxes_are_hulls_of_their_corners_and_empty_ones_stay_empty():
    boxes = np.array([[10, 20, 30, 10], [0, 0, 0, 0], [5, 5, 0, 9]], np.float32)
    quarter = np.array([[0.0, -1, 100], [1, 0, 0]])

    np.testing.assert_allclose(
        transform_boxes(boxes, quarter), [[70, 10, 10, 30], [0, 0, 0, 0], [0, 0, 0, 0]]
    )


def test_no_pairs_swap_nothing():
    points = np.zeros((1, 3, 3))

    assert swap_pairs(points, ()) is points
