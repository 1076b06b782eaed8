from __future__ import annotations

import dataclasses
import math
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from dlcore.data.samples import boxes_from_keypoints
from dlcore.engine.detector_runner import (
    DetectorTrainingRunner,
    detect,
    detection_targets,
    true_boxes,
)
from dlcore.interfaces import Detector, Record
from dlcore.testing import check_runner, fake_batch, fake_task

TASK = fake_task(3, num_individuals=2)
SIZE = (64, 48)
METRICS = ["mAP@50:95", "mAP@50", "mAP@75", "mAR@50:95", "mAR@50", "mAR@75"]


class Told(Detector):
    """Finds the boxes it is told, whatever the image."""

    def __init__(self, *found):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.found = [torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) for boxes in found]
        self.targets = None

    def forward(self, images, targets=None):
        if self.training:
            self.targets = targets
            return {"near": self.weight * 2, "far": (self.weight * 3).to(torch.bfloat16)}, []
        scores = [torch.linspace(0.9, 0.5, len(boxes)) for boxes in self.found]
        return {}, [
            {"boxes": b, "scores": s, "labels": torch.ones(len(b), dtype=torch.int64)}
            for b, s in zip(self.found, scores, strict=True)
        ]


def corners(boxes):
    boxes = np.asarray(boxes, np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1).tolist()


def record(boxes=None, keypoints=None, **values):
    count = len(boxes) if keypoints is None else len(keypoints)
    empty = np.zeros((count, 3, 3), np.float32)
    given = {
        "image": Path("a.png"),
        "size": SIZE,
        "keypoints": empty if keypoints is None else np.asarray(keypoints, np.float32),
        "unique_keypoints": np.zeros((0, 3), np.float32),
        "individual_ids": np.arange(count),
        "boxes": None if boxes is None else np.asarray(boxes, np.float32).reshape(-1, 4),
    }
    return Record(**(given | values))


def runner(*found, **options):
    return DetectorTrainingRunner(Told(*found), TASK, nullcontext, **options)


def batch(images=2):
    return fake_batch(TASK, SIZE, images, normalised=True)


TRUTH = [[10.0, 5, 20, 30], [40, 10, 15, 20]]


def test_the_runner_keeps_the_contract_of_runners():
    check_runner(runner(corners(TRUTH), []), batch(), [record(TRUTH), record([])])


def test_the_total_loss_is_the_sum_of_the_detectors_losses():
    losses = runner([], []).losses(batch())

    assert list(losses) == ["near", "far", "total_loss"]
    assert {name: loss.item() for name, loss in losses.items()} == {
        "near": 2,
        "far": 3,
        "total_loss": 5,
    }
    assert all(loss.dtype == torch.float32 for loss in losses.values())


def test_the_detector_is_told_corners_of_boxes_without_padding():
    tested = runner([], [])
    given = batch()  # the last image has one individual and one row of padding
    tested.losses(given)

    first, last = tested.model.targets
    assert first["boxes"].numpy() == pytest.approx(np.array(corners(given.labels.boxes[0])))
    assert first["labels"].tolist() == [1, 1]
    assert last["boxes"].shape == (1, 4)


def test_images_without_animals_and_boxes_without_an_area_give_no_boxes():
    labels = batch().labels
    labels.boxes[0] = 0
    labels.boxes[1, 0] = torch.tensor([5.0, 5, 0, 9])
    labels.boxes[1, 1] = torch.tensor([5.0, torch.nan, 9, 9])

    for target in detection_targets(labels):
        assert target["boxes"].shape == (0, 4)
        assert target["labels"].shape == (0,)
        assert target["labels"].dtype == torch.int64


def test_metrics_have_deeplabcuts_names_and_no_loss():
    results = runner(corners(TRUTH), []).evaluate([batch()], [record(TRUTH), record(TRUTH)])

    assert list(results) == ["losses/eval.total_loss", *(f"metrics/test.{n}" for n in METRICS)]
    assert math.isnan(results["losses/eval.total_loss"])
    assert results["metrics/test.mAR@50"] == pytest.approx(50)
    assert results["metrics/test.mAP@50"] == pytest.approx(100 * 51 / 101)


def test_boxes_are_compared_in_the_original_image():
    """The network saw the image at half its width and a third of its height, shifted."""
    given = batch()
    given.to_network[:] = torch.tensor([[0.5, 0, 7], [0, 1 / 3, -2]])
    seen = np.array(corners(TRUTH)) * [0.5, 1 / 3, 0.5, 1 / 3] + [7, -2, 7, -2]

    results = runner(seen.tolist(), []).evaluate([given], [record(TRUTH), record([])])

    assert results["metrics/test.mAP@50:95"] == pytest.approx(100)


def test_only_records_that_were_seen_count():
    given = fake_batch(TASK, SIZE, 1, normalised=True)
    given = dataclasses.replace(given, indices=torch.tensor([1]))

    results = runner(corners(TRUTH)).evaluate([given], [record(TRUTH), record(TRUTH)])

    assert results["metrics/test.mAR@50:95"] == pytest.approx(100)


def test_a_detector_that_finds_nothing_has_no_precision():
    results = runner([], []).evaluate([batch()], [record(TRUTH), record([])])

    assert {results[f"metrics/test.{name}"] for name in METRICS} == {0.0}


def test_detect_keeps_the_best_and_the_certain():
    model = Told(corners(TRUTH), []).eval()

    (boxes, scores), (none, no_scores) = detect(model, batch(), max_detections=1)
    assert boxes == pytest.approx(np.array(TRUTH[:1]))
    assert scores == pytest.approx([0.9])
    assert none.shape == (0, 4)
    assert no_scores.shape == (0,)
    assert len(detect(model, batch())[0].boxes) == 2
    assert len(detect(model, batch(), min_score=0.7)[0].boxes) == 1


def test_boxes_of_a_turned_image_are_those_around_the_turned_boxes():
    given = batch(1)
    given.to_network[0] = torch.tensor([[0.0, -1, 48], [1, 0, 0]])  # a quarter turn

    ((boxes, _),) = detect(Told([[13, 10, 43, 30]]).eval(), given)

    assert boxes == pytest.approx(np.array([[10.0, 5, 20, 30]]))


def test_true_boxes_are_cut_to_the_image():
    found = true_boxes(record([[-5, 40, 20, 20], [70, 70, 5, 5], [0, 0, 64, 48]]), 20)

    assert found.tolist() == [[0, 40, 15, 8], [0, 0, 0, 0], [0, 0, 64, 48]]


def test_true_boxes_that_are_no_numbers_are_left_out():
    found = true_boxes(record([[np.nan, 4, 20, 20], [4, 4, 20, np.nan], [1, 2, 3, 4]]), 20)

    assert found.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]]


def test_true_boxes_come_from_keypoints_with_the_margin():
    points = [[[10, 20, 2], [30, 40, 1], [60, 5, 0]], [[1, 1, 0]] * 3]
    expected = boxes_from_keypoints(np.array(points, np.float32), SIZE, 5)

    assert true_boxes(record(keypoints=points), 5).tolist() == expected.tolist()
    assert expected[0].tolist() == [5, 15, 30, 30]
    results = runner([], [[5, 15, 35, 45]], box_margin=5).evaluate(
        [batch()], [record([]), record(keypoints=points)]
    )
    assert results["metrics/test.mAP@50:95"] == pytest.approx(100)


def test_a_size_that_is_not_known_is_read_from_the_file(tmp_path):
    Image.new("RGB", SIZE).save(tmp_path / "a.png")
    given = record([[50, 40, 50, 50]], size=None, image=tmp_path / "a.png")

    assert true_boxes(given, 20).tolist() == [[50, 40, 14, 8]]


def test_evaluation_leaves_the_mode_as_it_was():
    tested = runner([], [])
    tested.model.eval()
    tested.evaluate([batch()], [record([]), record([])])

    assert not tested.model.training
