from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dlcore.building import build_transform
from dlcore.testing import check_transform, fake_sample, fake_task
from dlcore_plugins.conditional.transform import GenerativeSampling

TASK = fake_task(3, num_individuals=2)
ALWAYS_SWAP = {"jitter_prob": 0.0, "swap_prob": 1.0, "inv_prob": 0.0, "miss_prob": 0.0}


def test_keeps_the_transform_contract() -> None:
    check_transform(GenerativeSampling(TASK), TASK)


def test_the_first_individual_gets_a_rough_pose_near_it() -> None:
    sample = fake_sample(TASK, (200, 200))
    sample.keypoints[0, :, 2] = [2, 0, 2]

    after = GenerativeSampling(TASK)(sample, np.random.default_rng(0))

    assert after.conditions is not None
    assert after.conditions.dtype == np.float32
    assert after.conditions[:, 2].tolist() == [2, 0, 2]


def test_neighbours_are_found_where_the_image_shows_them() -> None:
    """They come in pixels of the original image, here twice as large."""
    pose = np.array([[20, 20, 2], [80, 20, 2], [20, 80, 2]], np.float32)
    other = pose + np.array([30, 30, 0], np.float32)
    sample = replace(
        fake_sample(TASK, (200, 200), num_individuals=1),
        keypoints=pose[None],
        boxes=np.array([[20, 20, 60, 60]], np.float32),
        neighbours=(other * [2, 2, 1]).astype(np.float32)[None],
        to_network=np.array([[0.5, 0, 0], [0, 0.5, 0]]),
    )
    transform = GenerativeSampling(TASK, keypoints_symmetry=[], **ALWAYS_SWAP)

    conditions: Any = transform(sample, np.random.default_rng(0)).conditions

    assert np.linalg.norm(conditions[:, :2] - other[:, :2], axis=1).max() < 15


def test_an_image_without_animals_has_an_empty_pose() -> None:
    sample = fake_sample(TASK, (64, 64), num_individuals=0)

    after = GenerativeSampling(TASK)(sample, np.random.default_rng(0))

    assert after.conditions is not None
    assert after.conditions.shape == (3, 3)
    assert not after.conditions.any()


def test_is_made_from_the_block_that_deeplabcut_writes(host: Any) -> None:
    block = {"keypoint_sigmas": 0.1, "keypoints_symmetry": None, **ALWAYS_SWAP}

    assert isinstance(
        build_transform(host, "gen_sampling", block, TASK, "data.gen_sampling"), GenerativeSampling
    )
