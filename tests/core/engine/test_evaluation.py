"""Evaluation: predictions go back to the original image, and crops of one image count together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dlcore.engine.evaluation import (
    Predictions,
    collect_predictions,
    evaluate_predictions,
    to_original,
    truth,
)
from dlcore.interfaces import Batch, Record

POSE = np.array([[10.0, 20.0, 2.0], [40.0, 25.0, 2.0], [15.0, 60.0, 2.0]])


def record(image, *poses, unique=0):
    return Record(
        image=Path(image),
        size=(100, 100),
        keypoints=np.array(poses, np.float32),
        unique_keypoints=np.array([[50.0, 50.0, 2.0]] * unique, np.float32).reshape(unique, 3),
        individual_ids=np.arange(len(poses)),
    )


def scored(pose, score=0.9):
    return np.concatenate([pose[:, :2], np.full((len(pose), 1), score)], axis=1)


def test_an_affine_map_is_undone():
    matrix = np.array([[0.5, -0.2, 7.0], [0.3, 0.8, -4.0]])
    places = np.array([[10.0, 20.0], [33.0, 4.0]])
    seen = places @ matrix[:, :2].T + matrix[:, 2]

    back = to_original(np.column_stack([seen, [0.5, 0.6]])[None], matrix)

    np.testing.assert_allclose(back[0, :, :2], places)
    np.testing.assert_allclose(back[0, :, 2], [0.5, 0.6])


def test_a_missing_individual_is_no_place():
    poses = np.array([[[1.0, 2.0, 0.5]], [[-1.0, -1.0, -1.0]]])

    back = to_original(poses, np.array([[2.0, 0, 10], [0, 2.0, 20]]))

    assert np.isfinite(back[0]).all()
    assert np.isnan(back[1]).all()


def test_what_a_batch_gives_is_stored_under_its_records():
    predictions = Predictions(3)
    batch = Batch(
        images=torch.zeros(2, 3, 4, 4),
        labels=None,
        to_network=torch.tensor([[[2.0, 0, 0], [0, 2.0, 0]], [[1.0, 0, 5], [0, 1.0, 0]]]).double(),
        indices=torch.tensor([2, 0]),
    )
    poses = torch.tensor([[[[8.0, 6.0, 0.5]]], [[[8.0, 6.0, 0.5]]]])

    collect_predictions(predictions, batch, {"bodypart": {"poses": poses}})

    assert predictions.poses[1] is None
    np.testing.assert_allclose(predictions.poses[2], [[[4.0, 3.0, 0.5]]])
    np.testing.assert_allclose(predictions.poses[0], [[[3.0, 6.0, 0.5]]])


def test_an_identity_head_puts_poses_in_the_order_of_the_individuals():
    predictions = Predictions(1)
    batch = Batch(
        images=torch.zeros(1, 3, 4, 4),
        labels=None,
        to_network=torch.tensor([[[2.0, 0, 0], [0, 2.0, 0]]]).double(),
        indices=torch.tensor([0]),
    )
    poses = torch.tensor([[[[1.0, 1.0, 0.9]], [[3.0, 2.0, 0.8]]]])
    maps = torch.zeros(1, 4, 4, 2)
    maps[0, 2, 3, 0] = 1.0  # the second pose stands where the first individual is

    collect_predictions(
        predictions, batch, {"bodypart": {"poses": poses}, "identity": {"heatmap": maps}}
    )

    np.testing.assert_allclose(predictions.poses[0], [[[1.5, 1.0, 0.8]], [[0.5, 0.5, 0.9]]])


def test_crops_of_one_image_count_as_one_image():
    other = POSE + np.array([30.0, 0.0, 0.0], np.float32)
    whole, crops = Predictions(1), Predictions(2)
    # the better score belongs to the animal that is predicted in the wrong place
    whole.poses[0] = np.stack([scored(POSE, 0.9), scored(POSE, 0.8)])
    crops.poses[0], crops.poses[1] = scored(POSE, 0.9)[None], scored(POSE, 0.8)[None]

    together = evaluate_predictions(whole, [record("a.png", POSE, other)])
    one_by_one = evaluate_predictions(crops, [record("a.png", POSE), record("a.png", other)])
    apart = evaluate_predictions(crops, [record("a.png", POSE), record("b.png", other)])

    assert one_by_one == pytest.approx(together, nan_ok=True)
    assert apart != pytest.approx(together, nan_ok=True)


def test_unique_keypoints_are_evaluated_too():
    predictions = Predictions(1)
    predictions.poses[0] = scored(POSE)[None]
    predictions.unique[0] = np.array([[[50.0, 58.0, 0.9]]])

    metrics = evaluate_predictions(predictions, [record("a.png", POSE, unique=1)])

    assert metrics["rmse"] == pytest.approx(8 / 4)  # one of four keypoints is 8 pixels off


def test_labels_outside_the_image_are_no_truth():
    labels = truth([[[-1.0, 5, 2], [5, 5, 2], [100, 5, 2], [np.nan, 5, 2]]], (100, 100))

    assert labels[0, :, 2].tolist() == [0, 2, 0, 0]
