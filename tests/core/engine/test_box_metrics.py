from __future__ import annotations

import contextlib
import io
import json
import math

import numpy as np
import pytest

from dlcore.engine import box_metrics as module
from dlcore.engine.box_metrics import box_metrics, intersection_over_union

NAMES = ["mAP@50:95", "mAP@50", "mAP@75", "mAR@50:95", "mAR@50", "mAR@75"]


def some_boxes(rng, count):
    return np.concatenate([rng.uniform(0, 60, (count, 2)), rng.uniform(5, 40, (count, 2))], axis=1)


def crowd(seed, images=12, most=130):
    """Images with few and with many boxes, near misses, doubles, equal scores and false alarms."""
    rng = np.random.default_rng(seed)
    boxes, scores, truth = [], [], []
    for index in range(images):
        true = some_boxes(rng, rng.integers(0, 6))
        near = np.repeat(true, rng.integers(0, 4), axis=0)
        near = near + rng.normal(0, 2, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], 1)
        alarms = some_boxes(rng, most if index == 0 else rng.integers(0, 4))
        found = np.concatenate([near, alarms])
        boxes.append(found)
        scores.append(rng.integers(0, 8, len(found)) / 8)
        truth.append(true)
    return boxes, scores, truth


def pycocotools_metrics(boxes, scores, truth):
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    annotations = [
        {"image_id": i, "category_id": 1, "bbox": [*box], "area": box[2] * box[3], "iscrowd": 0}
        for i, image in enumerate(truth)
        for box in image.tolist()
    ]
    found = [
        {"image_id": i, "category_id": 1, "bbox": box, "score": score}
        for i, (image, certain) in enumerate(zip(boxes, scores, strict=True))
        for box, score in zip(image.tolist(), certain.tolist(), strict=True)
    ]
    labels = coco.COCO()
    labels.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(truth))],
        "categories": [{"id": 1}],
        "annotations": [{"id": n, **one} for n, one in enumerate(annotations, 1)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        labels.createIndex()
        evaluation = cocoeval.COCOeval(labels, labels.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, 0, 0, 2].mean(axis=1)
    recall = evaluation.eval["recall"][:, 0, 0, 2]
    values = [some for array in (precision, recall) for some in (array.mean(), array[0], array[5])]
    return dict(zip(NAMES, (100 * np.array(values)).tolist(), strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_values_are_those_of_pycocotools(seed):
    assert box_metrics(*crowd(seed)) == pytest.approx(pycocotools_metrics(*crowd(seed)))


@pytest.mark.parametrize("case", ["bbox", "bbox_none_found"])
def test_values_are_those_of_deeplabcut(shared, case):
    folder = shared / "peer/reference/metrics"
    expected = json.loads((folder / "metrics.json").read_text())[case]["result"]["bbox"]
    with np.load(folder / f"{case}.npz") as data:
        found = box_metrics(data["pred_bboxes"], data["pred_bbox_scores"], data["gt_bboxes"])

    assert found == pytest.approx(expected, abs=1e-12)


def test_images_may_be_computed_a_few_at_a_time(monkeypatch):
    whole = box_metrics(*crowd(0))
    monkeypatch.setattr(module, "_LARGEST_ARRAY", 1)

    assert box_metrics(*crowd(0)) == whole


def test_perfect_boxes_give_a_hundred_percent():
    truth = [some_boxes(np.random.default_rng(0), 3)]

    assert box_metrics(truth, [np.full(3, 0.5)], truth) == pytest.approx(dict.fromkeys(NAMES, 100))


def test_boxes_beyond_the_image_and_around_all_of_it_count_like_others():
    truth = [np.array([[0.0, 0, 64, 48]]), np.array([[-20.0, -20, 30, 30]])]

    assert box_metrics(truth, [np.ones(1)] * 2, truth) == pytest.approx(dict.fromkeys(NAMES, 100))


def test_predictions_that_are_not_numbers_are_false_alarms():
    truth = [np.array([[10.0, 10, 20, 20]])]
    found = [np.array([[np.nan, 10, 20, 20], [10, 10, 20, 20]])]

    with_alarm = box_metrics(found, [np.array([0.9, 0.8])], truth)

    assert with_alarm["mAR@50"] == pytest.approx(100)
    assert with_alarm["mAP@50"] == pytest.approx(50)


def test_boxes_without_an_area_are_no_truth():
    box = np.array([[10.0, 10, 20, 20]])
    labels = np.array(
        [[10.0, 10, 20, 20], [0, 0, 0, 0], [5, 5, 10, 0], [np.nan, 5, 9, 9], [5, 5, 9, np.nan]]
    )

    assert box_metrics([box], [np.ones(1)], [labels])["mAR@50"] == pytest.approx(100)


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.array([[1.0, 1, 5, 5]])])
def test_without_true_boxes_there_is_nothing_to_measure(boxes):
    found = box_metrics([boxes], [np.ones(len(boxes))], [np.zeros((0, 4))])

    assert list(found) == NAMES
    assert all(map(math.isnan, found.values()))


def test_numbers_of_images_must_agree():
    with pytest.raises(ValueError, match="boxes for 1 images, scores for 1 and labels for 2"):
        box_metrics([np.zeros((0, 4))], [np.zeros(0)], [np.zeros((0, 4))] * 2)


def test_intersection_over_union_by_hand():
    first = np.array([[0.0, 0, 10, 10], [3, 3, 0, 0]])
    second = np.array([[5.0, 0, 10, 10], [3, 3, 0, 0], [20, 20, 1, 1]])

    assert intersection_over_union(first, second) == pytest.approx(
        np.array([[1 / 3, 0, 0], [0, 0, 0]])
    )
