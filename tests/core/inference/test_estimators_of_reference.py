"""Whole estimators, from image to pose, give what DeepLabCut's own inference gave."""

import json

import numpy as np
import pytest

from dlcore.data.images import read_image
from dlcore.inference.images import InputImage
from dlcore.inference.loading import load_estimator
from dlcore.inference.trained_run import TrainedRun

BOTTOM_UP = ["openfield_cspnext_s", "multi_dekr_w18", "multi_identity_unique_cspnext_s"]


def reference(folder, name="predictions"):
    with np.load(folder / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(str(arrays["meta"]))


def present(poses):
    """DeepLabCut pads with -1; here there are NaN, or no rows."""
    poses = np.array(poses[..., :3], np.float64)
    poses[poses[..., 2] < 0] = np.nan
    return poses


def compare(found, expected, *, place=0.01, score=1e-3):
    expected = present(expected)
    rows = np.full(expected.shape, np.nan)
    rows[: len(found)] = found
    np.testing.assert_allclose(rows[..., :2], expected[..., :2], atol=place)
    np.testing.assert_allclose(rows[..., 2], expected[..., 2], atol=score)


@pytest.mark.parametrize("name", BOTTOM_UP)
def test_bottom_up(name, shared, host):
    folder = shared / "peer" / "snapshots" / name
    arrays, meta = reference(folder)
    estimator = load_estimator(TrainedRun.open(folder, host), batch_size=1)
    images = [InputImage(read_image(folder / "images" / image)) for image in meta["images"]]

    predictions = estimator.predict(images)

    assert len(predictions) == len(images) > 0
    for number, one in enumerate(predictions):
        compare(one.poses, arrays[f"final/{number}/bodyparts"])
        if f"final/{number}/unique_bodyparts" in arrays:
            compare(one.unique[None], arrays[f"final/{number}/unique_bodyparts"])
            expected = arrays[f"final/{number}/identity_scores"]
            there = np.isfinite(one.identity)
            np.testing.assert_allclose(one.identity[there], expected[there], atol=1e-4)
            assert there.any()


def test_top_down_with_its_detector(shared, host):
    folder = shared / "peer" / "snapshots" / "multi_rtmpose_s"
    arrays, meta = reference(folder)
    estimator = load_estimator(TrainedRun.open(folder, host))
    images = [InputImage(read_image(folder / "images" / image)) for image in meta["images"]]

    for number, one in enumerate(estimator.stream(images, 2)):
        expected = arrays[f"final/{number}/bboxes"]
        kept = arrays[f"final/{number}/bbox_scores"] >= 0
        np.testing.assert_allclose(one.boxes, expected[kept], atol=0.01)
        np.testing.assert_allclose(
            one.box_scores, arrays[f"final/{number}/bbox_scores"][kept], atol=1e-4
        )
        compare(one.poses, arrays[f"final/{number}/bodyparts"], place=0.1)


def test_top_down_in_given_boxes(shared, host):
    folder = shared / "peer" / "snapshots" / "multi_rtmpose_s"
    arrays, meta = reference(folder, "predictions_given_boxes")
    run = TrainedRun.open(folder, host)
    estimator = load_estimator(run, with_detector=False)
    images = [
        InputImage(read_image(folder / "images" / image), boxes=arrays[f"context/{number}/bboxes"])
        for number, image in enumerate(meta["images"])
    ]

    for number, one in enumerate(estimator.predict(images)):
        compare(one.poses, arrays[f"final/{number}/bodyparts"])
