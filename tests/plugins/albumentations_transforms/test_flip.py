"""Promises about mirror images: left and right swap, in every individual."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlcore.interfaces import PoseTask
from tests.dots import WIDTH, dotted_sample
from tests.plugins.albumentations_transforms.pipeline import make

EARS = PoseTask(("nose", "ear_left", "ear_right"), unique_keypoints=("gateL", "gateR"))


def flipped(task: PoseTask, **options):
    sample = dotted_sample()
    sample.keypoints = np.repeat(sample.keypoints, 2, axis=0)
    sample.keypoints[1, :, 1] += 3
    sample.unique_keypoints = np.array([[10, 5, 2], [70, 6, 1]], np.float32)
    before = sample.keypoints.copy()
    after = make("hflip", task, p=1.0, **options)(sample, np.random.default_rng(0))
    return before, after


def test_x_becomes_width_minus_x_and_sides_swap_in_every_individual():
    before, after = flipped(EARS)

    for individual in range(2):
        mirrored = before[individual][[0, 2, 1]]
        mirrored[:, 0] = WIDTH - mirrored[:, 0]
        np.testing.assert_allclose(after.keypoints[individual], mirrored)
    np.testing.assert_allclose(after.unique_keypoints, [[WIDTH - 70, 6, 1], [WIDTH - 10, 5, 2]])


def test_boxes_are_mirrored():
    sample = dotted_sample()
    sample.boxes = np.array([[10, 20, 30, 5]], np.float32)

    after = make("hflip", p=1.0)(sample, np.random.default_rng(0))

    np.testing.assert_allclose(after.boxes, [[WIDTH - 40, 20, 30, 5]])


@pytest.mark.parametrize(
    ("task", "options", "swaps"),
    [
        (EARS, {}, ((1, 2),)),
        (EARS, {"symmetries": [[0, 1]]}, ((0, 1),)),
        (EARS, {"symmetries": [["ear_right", "nose"]]}, ((2, 0),)),
        (EARS, {"symmetries": []}, ()),
        (replace(EARS, symmetries=((2, 1),)), {}, ((2, 1),)),
        (PoseTask(("LeftPaw", "RightPaw", "bright")), {}, ((0, 1),)),
    ],
)
def test_pairs_come_from_options_then_dataset_then_names(task, options, swaps):
    assert make("hflip", task, **options).swaps == swaps


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"symmetries": [[0, 3]]}, "symmetries names the keypoint 3; .*below 3"),
        ({"symmetries": [["nose", "tail"]]}, "symmetries names the keypoint 'tail'"),
        ({"symmetries": [[0, 1], [1, 2]]}, "symmetries must name each keypoint once"),
        ({"symmetries": [[0, 0]]}, "symmetries must hold pairs"),
        ({"symmetries": [[0, 1, 2]]}, "symmetries must hold pairs"),
        ({"unique_symmetries": [["gateL", "nose"]]}, "unique_symmetries names the keypoint 'nose'"),
    ],
)
def test_wrong_pairs_are_refused(options, what):
    with pytest.raises(ValueError, match=what):
        make("hflip", EARS, **options)


@pytest.mark.parametrize("name", ["left_ear", "leftear", "EarRight", "rightmost"])
def test_a_side_without_its_mirror_image_is_refused(name):
    task = PoseTask(("nose", name))

    with pytest.raises(ValueError, match=f"'{name}' has no mirror image .* set symmetries"):
        make("hflip", task)

    assert make("hflip", task, symmetries=[]).swaps == ()


@pytest.mark.parametrize("name", ["bright", "upright", "cleft", "led"])
def test_names_that_only_sound_like_a_side_are_fine(name):
    assert make("hflip", PoseTask(("nose", name))).swaps == ()
