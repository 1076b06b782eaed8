"""Promises about labels: boxes, visibility, padding, and what a batch holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcore.data.samples import (
    boxes_from_keypoints,
    clip_boxes,
    collate,
    finish_sample,
    make_sample,
    settle_visibility,
)
from dlcore.errors import DataError
from dlcore.interfaces import PoseTask
from tests.core.data.pictures import TASK, make_record

NAN = float("nan")
IMAGE = np.zeros((30, 40, 3), np.uint8)


@pytest.mark.parametrize(
    ("point", "settled"),
    {
        "inside": ((5, 6, 2), (5, 6, 2)),
        "occluded": ((5, 6, 1), (5, 6, 1)),
        "on row and column 0": ((0, 0, 2), (0, 0, 2)),
        "just inside the far corner": ((39.9, 29.9, 2), (39.9, 29.9, 2)),
        "on the right border": ((40, 6, 2), (40, 6, 0)),
        "on the lower border": ((5, 30, 2), (5, 30, 0)),
        "left of the image": ((-0.1, 6, 2), (-0.1, 6, 0)),
        "above the image": ((5, -3, 1), (5, -3, 0)),
        "not labelled": ((5, 6, 0), (5, 6, 0)),
        "not defined": ((5, 6, -1), (5, 6, -1)),
        "not defined and outside": ((-5, 6, -1), (-5, 6, -1)),
        "NaN": ((NAN, NAN, 2), (0, 0, 0)),
        "half NaN": ((5, NAN, 2), (0, 0, 0)),
        "infinite": ((5, float("inf"), 2), (0, 0, 0)),
    }.values(),
)
def test_visibility_follows_the_frame_and_is_never_raised(point, settled):
    result = settle_visibility(np.array([point], np.float32), (40, 30))

    np.testing.assert_allclose(result, [settled], rtol=1e-6)


def test_boxes_enclose_labelled_keypoints_with_the_margin():
    keypoints = np.array([[[10, 20, 2], [50, 60, 1], [150, 90, 0]]], np.float32)

    boxes = boxes_from_keypoints(keypoints, (200, 100), 20)

    np.testing.assert_array_equal(boxes, [[0, 0, 70, 80]])


def test_an_individual_without_labels_has_an_empty_box():
    keypoints = np.array([[[10, 20, 0]], [[10, 20, -1]], [[10, 20, 2]]], np.float32)

    boxes = boxes_from_keypoints(keypoints, (200, 100), 5)

    np.testing.assert_array_equal(boxes, [[0, 0, 0, 0], [0, 0, 0, 0], [5, 15, 10, 10]])


def test_an_image_without_individuals_has_no_boxes():
    assert boxes_from_keypoints(np.zeros((0, 2, 3), np.float32), (200, 100), 5).shape == (0, 4)


def test_boxes_are_cut_by_the_frame_and_vanish_outside():
    boxes = np.array([[-5, 10, 20, 40], [50, 5, 10, 10], [1, 2, 3, 4], [0, 0, 0, 0]], np.float32)

    np.testing.assert_array_equal(
        clip_boxes(boxes, (40, 30)), [[0, 10, 15, 20], [0, 0, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]]
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_box_that_is_not_finite_is_no_box(bad, place):
    boxes = np.array([[1.0, 2, 30, 4]])
    boxes[0, place] = bad
    sample = make_sample(replace(make_record(Path("a.png")), boxes=boxes), IMAGE, TASK, 20)

    assert finish_sample(sample).boxes.tolist() == [[0, 0, 0, 0]]


def test_a_box_with_nan_vanishes_where_boxes_are_cut():
    boxes = np.array([[np.nan, 2, 30, 4], [1, 2, 3, np.nan], [0, 0, 40, 30]])

    assert clip_boxes(boxes, (40, 30)).tolist() == [[0] * 4, [0] * 4, [0, 0, 40, 30]]


def test_boxes_of_the_dataset_are_taken_as_they_are():
    record = replace(make_record(Path("a.png")), boxes=np.array([[1, 2, 30, 4]]))

    np.testing.assert_array_equal(make_sample(record, IMAGE, TASK, 20).boxes, [[1, 2, 30, 4]])


def test_a_label_outside_the_image_stays_unlabelled_whatever_follows():
    record = make_record(Path("a.png"))
    record.keypoints[0, 0] = (-3, 5, 2)

    sample = make_sample(record, IMAGE, TASK, 20)
    sample.keypoints[0, 0, 0] += 10  # a transform brings it into the picture
    finished = finish_sample(sample)

    np.testing.assert_array_equal(finished.keypoints[0, :, 2], [0, 2])


def test_an_image_without_unique_keypoints_has_undefined_ones():
    task = replace(TASK, unique_keypoints=("corner",))

    sample = make_sample(make_record(Path("a.png")), IMAGE, task, 20)

    np.testing.assert_array_equal(sample.unique_keypoints, [[0, 0, -1]])


def test_the_record_is_not_changed():
    record = make_record(Path("a.png"))
    before = record.keypoints.copy()

    sample = make_sample(record, IMAGE, TASK, 20)
    sample.keypoints += 100

    np.testing.assert_array_equal(record.keypoints, before)


def test_more_individuals_than_the_config_knows_are_refused():
    record = make_record(Path("crowd.png"), individuals=3)

    with pytest.raises(DataError, match=r"'crowd\.png' has 3 .* knows 2; add names to metadata"):
        make_sample(record, IMAGE, TASK, 20)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"keypoints": np.zeros((1, 3, 3))}, "keypoints"),
        ({"individual_ids": np.zeros(2, np.int64)}, "individual ids"),
        ({"unique_keypoints": np.zeros((1, 3))}, "unique keypoints"),
        ({"boxes": np.zeros((2, 4))}, "boxes"),
    ],
)
def test_labels_of_another_shape_are_refused(changes, what):
    record = replace(make_record(Path("odd.png")), **changes)

    with pytest.raises(DataError, match=rf"the {what} of the image 'odd\.png' have the shape"):
        make_sample(record, IMAGE, TASK, 20)


def test_a_batch_is_padded_to_the_individuals_of_the_task():
    samples = [
        finish_sample(make_sample(make_record(Path("a.png"), individuals=n), IMAGE, TASK, 5))
        for n in (0, 1, 2)
    ]

    batch = collate(samples, [7, 8, 9], TASK)

    assert batch.images.shape == (3, 3, 30, 40)
    assert batch.images.dtype == torch.uint8
    assert batch.labels.individual_ids.tolist() == [[-1, -1], [0, -1], [0, 1]]
    assert batch.labels.keypoints.shape == (3, 2, 2, 3)
    assert (batch.labels.keypoints[0] == 0).all()
    assert batch.labels.boxes[1].tolist() == [[0.5, 2.5, 35, 23], [0, 0, 0, 0]]
    assert batch.labels.areas[1].tolist() == [35 * 23, 1]
    assert batch.labels.unique_keypoints.shape == (3, 0, 3)
    assert batch.indices.tolist() == [7, 8, 9]
    assert batch.to_network.tolist() == [np.eye(2, 3).tolist()] * 3


def test_images_of_a_batch_are_channels_last_and_in_order():
    images = [np.full((30, 40, 3), (n, 2 * n, 3 * n), np.uint8) for n in (10, 20)]
    samples = [
        finish_sample(make_sample(make_record(Path("a.png")), image, TASK, 5)) for image in images
    ]

    batch = collate(samples, [0, 1], TASK)

    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.images[:, :, 3, 4].tolist() == [[10, 20, 30], [20, 40, 60]]


def test_items_equal_those_of_deeplabcut(shared):
    """Labels of untransformed items, from `items` of the reference; boxes with a margin of 20.

    Only the areas of padding differ: 1 here, 0 there.
    """
    folder = shared / "peer" / "reference" / "items"
    items = np.load(folder / "multi_identity_unique_items.npz")
    annotated = json.loads((folder / "multi_identity_unique_train_coco.json").read_text())
    task = PoseTask(
        tuple("abcdef"), unique_keypoints=("u", "v"), individuals=("one", "two", "three")
    )
    for index, image in enumerate(annotated["images"][:8]):
        own = [a for a in annotated["annotations"] if a["image_id"] == image["id"]]
        animals = [a for a in own if a["category_id"] == 1]
        unique = [a["keypoints"] for a in own if a["category_id"] == 2]
        record = replace(
            make_record(Path("a.png")),
            keypoints=np.array([a["keypoints"] for a in animals]).reshape(-1, 6, 3),
            unique_keypoints=np.array(unique).reshape(-1, 3),
            individual_ids=np.array([a["individual_id"] for a in animals], np.int64),
        )
        pixels = np.zeros((image["height"], image["width"], 3), np.uint8)

        labels = collate([finish_sample(make_sample(record, pixels, task, 20))], [0], task).labels

        reference = f"BU/{index}/annotations/"
        present = labels.individual_ids >= 0
        for name, ours in {
            "keypoints": labels.keypoints,
            "boxes": labels.boxes,
            "area": labels.areas * present,
            "individual_ids": labels.individual_ids,
        }.items():
            np.testing.assert_allclose(ours[0], items[reference + name], rtol=1e-5, err_msg=name)
        theirs = items[reference + "keypoints_unique"]
        np.testing.assert_array_equal(labels.unique_keypoints[0, :, 2], theirs[:, 2])
        labelled = theirs[:, 2] > 0
        np.testing.assert_allclose(
            labels.unique_keypoints[0][labelled], theirs[labelled], rtol=1e-5
        )
