"""Distances here are in pixels of a box of 100 x 100, where OKS levels give 11.4, 23.5 and 42.9."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dlcore.interfaces import PoseTask
from dlcore_plugins.conditional.sampling import GenerativeSampler, oks_distance

Array = npt.NDArray[Any]

BOX = np.array([450.0, 450.0, 100.0, 100.0])
SIZE = (1000, 1000)
NEAR, MIDDLE, FAR = 11.4, 23.5, 42.9
NONE = {"jitter_prob": 0.0, "swap_prob": 0.0, "inv_prob": 0.0, "miss_prob": 0.0}
FAR_APART = np.array([[[300.0, 300.0], [700.0, 300.0], [500.0, 700.0]]])
BESIDE = FAR_APART + np.array([150.0, 200.0])


def task(count: int, **options: Any) -> PoseTask:
    return PoseTask(tuple(f"point{number}" for number in range(count)), **options)


def poses(points: Array, visibility: float = 2.0) -> Array:
    """(N, K, 3) from (N, K, 2)."""
    flags = np.full((*points.shape[:2], 1), visibility)
    return np.concatenate([points, flags], axis=2).astype(np.float32)


def draw(sampler: GenerativeSampler, points: Array, times: int, index: int = 0) -> Array:
    """(times, K, 3) rough poses."""
    rng = np.random.default_rng(0)
    made = [sampler(poses(points), index, SIZE, rng, box=BOX) for _ in range(times)]
    return np.stack(made)


def away(made: Array, points: Array) -> Array:
    """Distances (times, K) to true points (K, 2)."""
    distances: Array = np.linalg.norm(made[:, :, :2] - points, axis=2)
    return distances


def test_distances_of_oks_levels() -> None:
    found = oks_distance(1e4, np.array(0.1), np.array([0.85, 0.5, 0.1]))

    np.testing.assert_allclose(found, [NEAR, MIDDLE, FAR], atol=0.05)


@pytest.mark.parametrize(
    ("error", "low", "high"),
    [({}, 0, NEAR), ({"jitter_prob": 1.0}, NEAR, MIDDLE), ({"miss_prob": 1.0}, MIDDLE, FAR)],
    ids=["good", "jitter", "miss"],
)
def test_how_far_off_a_keypoint_is(error: dict[str, float], low: float, high: float) -> None:
    """Distances are uniform between two levels, directions over the circle."""
    sampler = GenerativeSampler(task(1), **{**NONE, **error})
    points = np.array([[[500.0, 500.0]]])

    made = draw(sampler, points, 2000)[:, 0]

    offset = made[:, :2] - points[0]
    distance = np.linalg.norm(offset, axis=1)
    quantiles = np.quantile(distance, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(quantiles, np.linspace(low, high, 5), atol=1.2)
    assert distance.min() >= low - 0.05
    assert distance.max() <= high + 0.05
    assert abs((offset / distance[:, None]).mean(axis=0)).max() < 0.06
    assert (made[:, 2] == 2).all()


def test_an_inversion_lands_near_the_counterpart() -> None:
    sampler = GenerativeSampler(
        task(3), keypoints_symmetry=[["point0", "point1"]], **{**NONE, "inv_prob": 1.0}
    )

    made = draw(sampler, FAR_APART, 300)

    assert away(made, FAR_APART[0, [1, 0, 2]])[:, :2].max() <= MIDDLE + 0.05
    assert np.quantile(away(made, FAR_APART[0, [1, 0, 2]])[:, 0], 0.9) > 0.8 * MIDDLE
    assert away(made, FAR_APART[0])[:, 2].max() <= NEAR + 0.05, "nothing to confuse it with"


def test_a_swap_lands_near_the_same_keypoint_or_counterpart_of_an_overlapping_animal() -> None:
    points = np.concatenate([FAR_APART, BESIDE, FAR_APART + 2000])
    sampler = GenerativeSampler(task(3), keypoints_symmetry=[[0, 1]], **{**NONE, "swap_prob": 1.0})
    made = draw(sampler, points, 300)

    same = away(made, points[1]) <= MIDDLE + 0.05
    counterpart = away(made, points[1, [1, 0, 2]]) <= MIDDLE + 0.05
    assert (same | counterpart).all()
    assert 0.4 < same[:, 0].mean() < 0.6
    assert same[:, 2].all()


def test_an_animal_elsewhere_is_not_confused_with() -> None:
    points = np.concatenate([FAR_APART, FAR_APART + 2000])
    sampler = GenerativeSampler(task(3), **{**NONE, "swap_prob": 1.0})

    assert away(draw(sampler, points, 50), points[0]).max() <= NEAR + 0.05


@pytest.mark.parametrize("neighbour", [True, False])
def test_errors_are_as_frequent_as_configured(neighbour: bool) -> None:
    """An error that cannot happen leaves its share to the others."""
    points = FAR_APART
    if neighbour:
        points = np.concatenate([points, BESIDE])
    sampler = GenerativeSampler(
        task(3), keypoints_symmetry=[[0, 1]], jitter_prob=0.2, swap_prob=0.2, inv_prob=0.1
    )

    made = draw(sampler, points, 4000)

    distance = away(made, points[0])[:, 0]
    good, jitter = (distance < NEAR).mean(), ((distance > NEAR) & (distance < MIDDLE)).mean()
    inversion = (away(made, points[0, [1, 0, 2]])[:, 0] < MIDDLE).mean()
    share = 1.0 if neighbour else 0.8
    assert good == pytest.approx(0.4 / share, abs=0.03)
    assert jitter == pytest.approx(0.2 / share, abs=0.03)
    assert inversion == pytest.approx(0.1 / share, abs=0.02)


def test_a_place_nearer_to_another_keypoint_is_never_taken() -> None:
    points = np.array([[[500.0, 500.0], [512.0, 500.0]]])
    sampler = GenerativeSampler(
        task(2), keypoints_symmetry=[[0, 1]], **{**NONE, "jitter_prob": 1.0}
    )

    made = draw(sampler, points, 300)

    assert (away(made, points[0]) <= away(made, points[0, ::-1]) + 1e-3).all()


def test_a_miss_keeps_away_from_every_other_keypoint() -> None:
    points = np.array([[[500.0, 500.0], [530.0, 500.0]]])
    sampler = GenerativeSampler(task(2), keypoints_symmetry=[[0, 1]], **{**NONE, "miss_prob": 1.0})

    made = draw(sampler, points, 300)

    assert min(away(made, points[0]).min(), away(made, points[0, ::-1]).min()) >= MIDDLE - 0.05
    assert (away(made, points[0]) > FAR).any(), "around the counterpart, too"


def test_symmetries_are_given_or_those_of_the_dataset_or_drawn_for_each_pose() -> None:
    wanted = {**NONE, "inv_prob": 1.0}

    def confused(sampler: GenerativeSampler) -> set[int]:
        """With which keypoints the first one is confused."""
        made = draw(sampler, FAR_APART, 60)[:, 0, :2]
        distances = np.linalg.norm(made[:, None] - FAR_APART[0], axis=2)
        return {int(number) for number in distances.argmin(axis=1)}

    assert confused(GenerativeSampler(task(3), keypoints_symmetry=[[0, 2]], **wanted)) == {2}
    assert confused(GenerativeSampler(task(3, symmetries=((0, 1),)), **wanted)) == {1}
    assert confused(GenerativeSampler(task(3), **wanted)) == {0, 1, 2}
    assert confused(GenerativeSampler(task(3), keypoints_symmetry=[], **wanted)) == {0}


def test_distances_follow_sigma_and_the_area_of_the_box() -> None:
    points = poses(np.array([[[500.0, 500.0], [400.0, 460.0]]]))
    sampler = GenerativeSampler(
        task(2), keypoint_sigmas=[0.05, 0.2], keypoints_symmetry=[], **{**NONE, "jitter_prob": 1.0}
    )
    rng = np.random.default_rng(0)
    made = np.stack([sampler(points, 0, SIZE, rng) for _ in range(300)])  # spans 100 x 40

    scale = np.sqrt(0.4) * np.array([0.5, 2])
    distance = away(made, points[0, :, :2])
    np.testing.assert_allclose(distance.max(axis=0), MIDDLE * scale, rtol=0.03)
    np.testing.assert_allclose(distance.min(axis=0), NEAR * scale, rtol=0.03)


def test_what_is_not_labelled_stays_so_and_the_rest_stays_in_the_image() -> None:
    pose = poses(np.array([[[0.0, 999.0], [300.0, 300.0], [np.nan, np.nan]]]))
    pose[0, 1, 2] = 0
    sampler = GenerativeSampler(task(3), miss_prob=0.5)
    rng = np.random.default_rng(0)

    made = np.stack([sampler(pose, 0, SIZE, rng, box=BOX) for _ in range(50)])

    assert not made[:, 1:].any()
    assert made.dtype == np.float32
    assert ((made[:, 0, :2] >= 0) & (made[:, 0, :2] <= SIZE)).all()
    assert not sampler(poses(FAR_APART, visibility=0), 0, SIZE, rng).any()


def test_the_same_generator_draws_the_same() -> None:
    sampler = GenerativeSampler(task(3))

    assert np.array_equal(draw(sampler, FAR_APART, 3), draw(sampler, FAR_APART, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keypoint_sigmas": [0.1, 0.2]}, "keypoint_sigmas .* each of the 3 keypoints; got 2"),
        ({"keypoint_sigmas": 0.0}, "keypoint_sigmas must be above 0, got 0.0"),
        ({"keypoints_symmetry": [[0, 3]]}, r"keypoints_symmetry .* from 0 to 2; got \[0, 3\]"),
        ({"keypoints_symmetry": [[1, 1]]}, r"pairs of different keypoints, .*; got \[1, 1\]"),
        ({"keypoints_symmetry": [["tail", 1]]}, r"got \['tail', 1\]"),
        ({"jitter_prob": 0.9}, r"jitter_prob, .* must add up to at most 1, got \[0.9"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GenerativeSampler(task(3), **options)
