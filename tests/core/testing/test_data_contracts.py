"""Contracts of transforms, collates and datasets: sound ones pass, broken promises are named."""

from __future__ import annotations

import random
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from dlcore.interfaces import (
    Collate,
    GeometricTransform,
    PoseDataset,
    Record,
    Transform,
    Warp,
)
from dlcore.testing import check_collate, check_dataset, check_transform, fake_task, write_dataset

TASK = fake_task(3, num_individuals=2, num_unique=1)


class Darker(Transform):
    def __call__(self, sample, rng):
        return replace(sample, image=(sample.image * rng.uniform(0.5, 1)).astype(np.uint8))


class MaybeFlip(GeometricTransform):
    """A flip in continuous pixels, so that the column x becomes width - x."""

    swaps = TASK.symmetries
    border = 0.0

    def warp(self, sample, size, rng):
        if rng.random() < 0.3:
            return None
        matrix = np.array([[-1.0, 0.0, size[0] - self.border], [0.0, 1.0, 0.0]])
        return Warp(matrix, size, swaps=self.swaps)


class Zoom(GeometricTransform):
    def warp(self, sample, size, rng):
        scale = rng.uniform(0.8, 1.5)
        matrix = np.array([[scale, 0.0, rng.uniform(-9, 9)], [0.0, scale, rng.uniform(-9, 9)]])
        return Warp(matrix, (size[0] + 10, size[1] - 5))


class FlipAsIfPixelsWerePoints(GeometricTransform):
    """Moves points by width - 1 - x, but pixels by width - x."""

    def warp(self, sample, size, rng):
        return None

    def __call__(self, sample, rng):
        width = sample.image.shape[1]
        sample.image = sample.image[:, ::-1].copy()
        for points in (sample.keypoints, sample.unique_keypoints):
            points[..., 0] = width - 1 - points[..., 0]
        flip = np.array([[-1.0, 0.0, width - 1], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        sample.to_network = (flip @ np.vstack([sample.to_network, [0, 0, 1]]))[:2]
        return sample


class FlipsTheFirstAnimalOnly(MaybeFlip):
    def __call__(self, sample, rng):
        after = super().__call__(sample, rng)
        after.keypoints[1:] = after.keypoints[1:, [0, 2, 1]]
        return after


class ForgetsToNetwork(Zoom):
    def __call__(self, sample, rng):
        before = sample.to_network.copy()
        return replace(super().__call__(sample, rng), to_network=before)


class OverwritesToNetwork(Zoom):
    def __call__(self, sample, rng):
        warp = self.warp(sample, (64, 48), np.random.default_rng(rng.integers(99)))
        after = super().__call__(sample, np.random.default_rng(0))
        return replace(after, to_network=warp.matrix)


class DropsOutside(Zoom):
    def __call__(self, sample, rng):
        after = super().__call__(sample, rng)
        after.keypoints[after.keypoints[..., 0] > 30] = np.nan
        return after


class HidesOutside(Zoom):
    def __call__(self, sample, rng):
        after = super().__call__(sample, rng)
        after.keypoints[after.keypoints[..., 0] > 30, 2] = 0
        return after


class DropsAnimals(Darker):
    def __call__(self, sample, rng):
        return replace(sample, keypoints=sample.keypoints[:1])


class ReordersAnimals(Darker):
    def __call__(self, sample, rng):
        return replace(sample, individual_ids=sample.individual_ids[::-1].copy())


class InventsPlaces(Darker):
    def __call__(self, sample, rng):
        sample.keypoints = np.nan_to_num(sample.keypoints)
        return sample


class PaintsInPlace(Darker):
    def __call__(self, sample, rng):
        sample.image[:5] = 0
        return sample


class FloatImage(Darker):
    def __call__(self, sample, rng):
        return replace(sample, image=sample.image.astype(np.float32))


class UsesNumpy(Darker):
    def __call__(self, sample, rng):
        return super().__call__(sample, np.random.default_rng(np.random.randint(99)))


class UsesPython(Darker):
    def __call__(self, sample, rng):
        return super().__call__(sample, np.random.default_rng(random.randint(0, 99)))


class UsesTorch(Darker):
    def __call__(self, sample, rng):
        return super().__call__(sample, np.random.default_rng(int(torch.randint(99, ()))))


class Remembers(Darker):
    def __init__(self):
        self.calls = 0

    def __call__(self, sample, rng):
        self.calls += 1
        return super().__call__(sample, np.random.default_rng(self.calls))


class RandomInference(Darker):
    def for_inference(self):
        return Darker()


class Unordered(Darker):
    order = float("nan")


BROKEN = {
    FlipAsIfPixelsWerePoints: r"pixels are (0\.9|1\.0)\d pixels away",
    FlipsTheFirstAnimalOnly: "keypoints are up to",
    ForgetsToNetwork: "from where to_network has them",
    OverwritesToNetwork: "from where to_network has them",
    DropsOutside: "must keep its coordinates",
    HidesOutside: "changes the visibility of keypoints",
    DropsAnimals: r"turns keypoints \(2, 3, 3\) float32 into \(1, 3, 3\)",
    ReordersAnimals: "changes individual_ids",
    InventsPlaces: "makes up a place",
    PaintsInPlace: "changes the array of the image",
    FloatImage: "must be uint8",
    UsesNumpy: "numpy's global generator",
    UsesPython: "python's random global generator",
    UsesTorch: "torch's global generator",
    Remembers: "different results for the same generator state",
    RandomInference: "must leave nothing to chance",
    Unordered: "order is nan",
}


@pytest.mark.parametrize("cls", [Darker, MaybeFlip, Zoom])
def test_a_sound_transform_passes(cls):
    check_transform(cls(), TASK)


@pytest.mark.parametrize(("cls", "message"), BROKEN.items())
def test_a_broken_transform_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_transform(cls(), TASK)


def test_a_local_deformation_is_checked_without_its_points():
    class Wobble(Darker):
        def __call__(self, sample, rng):
            sample.keypoints[..., :2] += rng.normal(size=2).astype(np.float32)
            return sample

    check_transform(Wobble(), TASK, affine=False)
    with pytest.raises(AssertionError, match="from where to_network has them"):
        check_transform(Wobble(), TASK)


def test_checking_leaves_the_global_generators_alone():
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    check_transform(Zoom(), TASK)

    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert before == after


class ToOneSize(Collate):
    size = (40, 30)

    def __call__(self, samples, rng):
        return [self.resize(sample) for sample in samples]

    def resize(self, sample):
        scale = np.array(self.size) / sample.image.shape[1::-1]
        matrix = np.diag([*scale, 1.0])
        after = replace(
            sample,
            image=cv2.resize(sample.image, self.size),
            keypoints=sample.keypoints.copy(),
            unique_keypoints=sample.unique_keypoints.copy(),
            to_network=matrix[:2] @ np.vstack([sample.to_network, [0, 0, 1]]),
        )
        after.keypoints[..., :2] *= scale.astype(np.float32)
        after.unique_keypoints[..., :2] *= scale.astype(np.float32)
        return after


class KeepsSizes(ToOneSize):
    def resize(self, sample):
        return sample


class DropsSamples(ToOneSize):
    def __call__(self, samples, rng):
        return super().__call__(samples[1:], rng)


class ForgetsUnique(ToOneSize):
    def resize(self, sample):
        return replace(super().resize(sample), unique_keypoints=sample.unique_keypoints)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (KeepsSizes, "leaves images of different shapes"),
        (DropsSamples, "makes 2 samples of 3"),
        (ForgetsUnique, "unique keypoints are up to"),
    ],
)
def test_a_broken_collate_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_collate(cls(), TASK)


def test_a_sound_collate_passes():
    check_collate(ToOneSize(), TASK)


class OneFolder(PoseDataset):
    """Takes the images that `write_dataset` wrote, with labels of its own."""

    def __init__(self, folder):
        self.task = fake_task(2)
        self.folder = folder

    def splits(self):
        return ("train", "test")

    def records(self, split):
        return [self.record(path) for path in sorted(self.folder.glob(f"images/{split}_*.png"))]

    def record(self, path):
        return Record(
            image=path,
            size=(64, 64),
            keypoints=np.array([[[5, 6, 2], [7, 8, 0]]], np.float32),
            unique_keypoints=np.zeros((0, 3), np.float32),
            individual_ids=np.zeros(1, np.int64),
        )


class OddSplit(OneFolder):
    def splits(self):
        return ("train", "tset")


class NoTraining(OneFolder):
    def records(self, split):
        return []


class Overlapping(OneFolder):
    def records(self, split):
        return super().records("train")


class Shuffles(OneFolder):
    turn = 1

    def records(self, split):
        self.turn = -self.turn
        return super().records(split)[:: self.turn]


class WrongSize(OneFolder):
    def record(self, path):
        return replace(super().record(path), size=(48, 64))


class Missing(OneFolder):
    def record(self, path):
        return super().record(path.with_suffix(".jpg"))


class Stranger(OneFolder):
    def record(self, path):
        return replace(super().record(path), individual_ids=np.array([1]))


class LostLabel(OneFolder):
    def record(self, path):
        record = super().record(path)
        record.keypoints[0, 0, 0] = np.nan
        return record


class OtherKeypoints(OneFolder):
    def record(self, path):
        return replace(super().record(path), keypoints=np.zeros((1, 3, 3), np.float32))


BROKEN_DATASETS = {
    OddSplit: "splits gives",
    NoTraining: "no training images",
    Overlapping: "is in 'test' and 'train'",
    Shuffles: "different order",
    WrongSize: r"the record says \(48, 64\), the image is 64x64",
    Missing: "image is missing",
    Stranger: r"individual_ids are \[1\]",
    LostLabel: "not finite",
    OtherKeypoints: "keypoints has shape",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("dataset"), train=3, test=2)


def test_a_sound_dataset_passes(folder):
    check_dataset(OneFolder(folder))


@pytest.mark.parametrize(("cls", "message"), BROKEN_DATASETS.items())
def test_a_broken_dataset_is_named(folder, cls, message):
    with pytest.raises(AssertionError, match=message):
        check_dataset(cls(folder))
