"""What counts as found, and which images a model is shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dlcore.inference.estimators import PoseEstimator, TopDownEstimator
from dlcore.inference.evaluation import evaluate
from dlcore.interfaces import PoseTask, Prediction, Record

TASK = PoseTask(("snout", "tail"), individuals=("one", "two"))
LEFT = np.array([[10.0, 10, 2], [30, 30, 2]])
RIGHT = LEFT + np.array([100.0, 0, 0])


class Known(PoseEstimator):
    """Says what it was told to say, in turn."""

    def __init__(self, *poses):
        self.task = TASK
        self.answers = [np.array(some, float).reshape(-1, 2, 3) for some in poses]
        self.shown = []

    def prepare(self, images):
        return None

    def run(self, images, prepared):
        self.shown += list(images)
        return [Prediction(self.answers.pop(0)) for _ in images]


@pytest.fixture
def records(tmp_path):
    """Two images of two animals, and one of none."""
    found = []
    for number, poses in enumerate([[LEFT, RIGHT], [LEFT, RIGHT], []]):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((60, 160, 3), number, np.uint8))
        keypoints = np.array(poses, np.float32).reshape(-1, 2, 3)
        found.append(
            Record(
                image=Path(path),
                size=(160, 60),
                keypoints=keypoints,
                unique_keypoints=np.zeros((0, 3), np.float32),
                individual_ids=np.arange(len(keypoints)),
            )
        )
    return found


def scored(*poses):
    return [np.column_stack([pose[:, :2], np.full(2, 0.9)]) for pose in poses]


def test_individuals_are_found_one_by_one(records):
    estimator = Known(scored(RIGHT, LEFT), scored(LEFT, LEFT + 1), [])

    metrics = evaluate(estimator, records).metrics

    assert metrics["individuals_found"] == 75  # two predictions of one animal count once
    assert metrics["images_with_all_found"] == 50  # an image without animals is no image of all
    assert [image.pixels[0, 0, 0] for image in estimator.shown] == [0, 1, 2]


def test_a_pose_elsewhere_finds_nothing(records):
    metrics = evaluate(Known(scored(LEFT + 40), [], scored(LEFT)), records).metrics

    assert metrics["individuals_found"] == 0


class KnownTopDown(TopDownEstimator):
    """Takes the boxes it is given for what is found."""

    def __init__(self):
        self.task = TASK
        self.boxes = []

    def prepare(self, images):
        return []

    def run(self, images, prepared):
        self.boxes += [image.boxes for image in images]
        one = np.concatenate([LEFT[:, :2], [[0.9], [0.9]]], axis=1)[None]
        box, score = np.array([[10.0, 10, 20, 20]]), np.ones(1)
        return [Prediction(one, boxes=box, box_scores=score) for _ in images]


def test_true_boxes_are_shown_only_when_asked_for(records):
    estimator = KnownTopDown()
    metrics = evaluate(estimator, records, boxes="detector", box_margin=0).metrics
    assert estimator.boxes == [None, None, None]
    assert metrics["individuals_found"] == 50
    assert metrics["detector.mAR@50"] == pytest.approx(50)

    estimator = KnownTopDown()
    metrics = evaluate(estimator, records, boxes="truth", box_margin=0).metrics
    np.testing.assert_allclose(estimator.boxes[0], [[10, 10, 20, 20], [110, 10, 20, 20]])
    assert estimator.boxes[2].shape == (0, 4)
    assert not any(name.startswith("detector.") for name in metrics)


def test_one_prediction_finds_one_of_two_animals_that_lie_over_each_other(records):
    near = LEFT + np.array([2.0, 0, 0])
    records[0].keypoints = np.array([LEFT, near], np.float32)

    metrics = evaluate(Known(scored(LEFT), scored(LEFT, RIGHT), []), records).metrics

    assert metrics["individuals_found"] == 75
    assert metrics["images_with_all_found"] == 50
