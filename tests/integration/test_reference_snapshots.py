"""Snapshots that DeepLabCut trained give here what they gave there.

From the image file to the pose: the images and crops that enter the network, its outputs within
1e-4, places within 0.01 pixel, who is who, and the boxes and scores of the detector.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.predicting import find_boxes, predict

BOTTOM_UP = ["openfield_cspnext_s", "multi_dekr_w18", "multi_identity_unique_cspnext_s"]
TOP_DOWN = "multi_rtmpose_s"


class Stored:
    """A file of predictions, and what they were made with."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.arrays = {key: file[key] for key in file.files}
        self.meta = json.loads(str(self.arrays.pop("meta")))
        self.folder = path.parent
        self.config = self.folder / "pytorch_config.yaml"
        self.snapshot = self.folder / self.meta["snapshot"]

    @property
    def images(self) -> list[Path]:
        return [self.folder / "images" / name for name in self.meta["images"]]

    def per_image(self, key: str) -> list[np.ndarray]:
        """The arrays `<key with {} for the image>`, image by image."""
        return [self.arrays[key.format(number)] for number in range(len(self.meta["images"]))]


@pytest.fixture(scope="module")
def stored(shared):
    """Opens a file of the reference by its path below the folder of snapshots."""
    return lambda path: Stored(shared / "peer" / "snapshots" / path)


def assert_outputs_equal(outputs, expected):
    """Compare {head: {name: array}} with {"head/name": array}: none may be left over."""
    found = {f"{head}/{name}": v for head, named in outputs.items() for name, v in named.items()}
    assert set(found) == set(expected)
    for key, value in found.items():
        error = np.abs(value - expected[key]).max()
        assert error <= 1e-4 * np.abs(expected[key]).max(), key


def assert_poses_equal(found, expected):
    """Compare (N, K, 3) with NaN for what is missing, and DeepLabCut's with -1 for individuals."""
    expected = expected[..., :3].copy()
    expected[expected[..., 2] < 0] = np.nan
    np.testing.assert_allclose(found[..., :2], expected[..., :2], rtol=0, atol=0.01)
    np.testing.assert_allclose(found[..., 2], expected[..., 2], rtol=0, atol=1e-3)


def outputs_of_call(arrays, number):
    prefix = f"model_calls/{number}/output/"
    return {key.removeprefix(prefix): v for key, v in arrays.items() if key.startswith(prefix)}


@pytest.mark.parametrize("name", BOTTOM_UP)
def test_outputs_and_poses_of_whole_images(name, stored, host):
    reference = stored(f"{name}/predictions.npz")

    seen = predict(host, reference.config, reference.snapshot, reference.images)

    assert len(seen) == 2
    for number, one in enumerate(seen):
        assert_outputs_equal(one.outputs, outputs_of_call(reference.arrays, number))
        assert_poses_equal(one.poses, reference.arrays[f"final/{number}/bodyparts"])
        unique = reference.arrays.get(f"final/{number}/unique_bodyparts")
        assert (one.unique is None) == (unique is None)
        if unique is not None:
            assert_poses_equal(one.unique, unique)


@pytest.mark.parametrize(
    ("file", "num_crops"), [("predictions.npz", 9), ("predictions_given_boxes.npz", 6)]
)
def test_outputs_and_poses_of_crops(file, num_crops, stored, host):
    reference = stored(f"{TOP_DOWN}/{file}")
    boxes = reference.per_image("context/{}/bboxes")

    seen = predict(host, reference.config, reference.snapshot, reference.images, boxes)

    assert len(seen) == num_crops
    poses = iter(seen)
    for found, expected in zip(boxes, reference.per_image("final/{}/bodyparts"), strict=True):
        for row in range(len(found)):
            assert_poses_equal(next(poses).poses[0], expected[row])
        assert (expected[len(found) :, :, 2] == -1).all()
    for number, one in enumerate(seen):
        assert_outputs_equal(one.outputs, outputs_of_call(reference.arrays, number))
        image = reference.arrays.get(f"model_calls/{number}/input")
        if image is not None:
            np.testing.assert_allclose(one.image, image, rtol=0, atol=1e-5)


def test_boxes_and_scores_of_the_detector(stored, host):
    reference = stored(f"{TOP_DOWN}/predictions.npz")
    snapshot = reference.folder / reference.meta["detector_snapshot"]

    found = find_boxes(host, reference.config, snapshot, reference.images)

    boxes = reference.per_image("context/{}/bboxes")
    scores = reference.per_image("context/{}/bbox_scores")
    for one, places, certain in zip(found, boxes, scores, strict=True):
        np.testing.assert_allclose(one.boxes, places, rtol=0, atol=0.01)
        np.testing.assert_allclose(one.scores, certain, rtol=1e-4)


def test_individuals_are_told_apart_in_every_image_of_a_project(stored, host, shared):
    """Their order, the scores of their identities, and unique bodyparts."""
    reference = stored("multi_identity_unique_cspnext_s/evaluation.npz")
    project = shared / "peer" / "projects" / "multi_identity_unique"
    orders = 0
    for split in ("train", "test"):
        images = [project / name for name in reference.meta[split]["images"]]

        seen = predict(host, reference.config, reference.snapshot, images)

        of_split = {
            name: reference.arrays[f"{split}/{name}"]
            for name in ("bodyparts", "unique_bodyparts", "identity_scores")
        }
        for one, poses, unique, identity in zip(seen, *of_split.values(), strict=True):
            assert_poses_equal(one.poses, poses)
            assert_poses_equal(one.unique, unique)
            missing = poses[..., 2] < 0  # DeepLabCut reads the maps for these too
            identity = np.where(missing[..., None], 0, identity)
            np.testing.assert_allclose(one.identity, identity, rtol=0, atol=1e-4)
            affinities = poses[:, 0, 4]
            orders += not (np.diff(affinities) <= 0).all()
    assert orders > 5  # they would come by affinity if identities did not count
