"""Promises about collates: one size per batch, drawn anew, with points that follow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from dlcore.data.chain import TransformChain
from dlcore.data.loader import BatchLoader
from dlcore.data.samples import finish_sample
from dlcore.interfaces import PoseTask, Record
from dlcore_plugins.albumentations_transforms.collates import (
    ResizeFromDataSizeCollate,
    ResizeFromListCollate,
)
from dlcore_plugins.albumentations_transforms.plugin import register_collates
from tests.dots import assert_points_follow_dots, dotted_sample


def sized(width: int, height: int):
    sample = dotted_sample()
    sample.image = np.zeros((height, width, 3), np.uint8)
    return sample


def sizes_of(collate, count=40, first=(640, 480)):
    found = []
    for seed in range(count):
        samples = collate([sized(*first), sized(100, 300)], np.random.default_rng(seed))
        assert samples[0].image.shape == samples[1].image.shape
        found.append(samples[0].image.shape[:2])
    return found


def test_sizes_are_scales_of_the_first_image_in_multiples():
    sizes = sizes_of(ResizeFromDataSizeCollate(min_scale=0.4, max_scale=1.0, multiple_of=32))

    assert len(set(sizes)) > 5
    for height, width in sizes:
        assert height % 32 == width % 32 == 0
        assert 192 <= height <= 480
        assert width / height == pytest.approx(4 / 3, rel=0.2)


def test_portraits_stay_portraits():
    sizes = sizes_of(ResizeFromDataSizeCollate(min_scale=0.4, max_scale=1), first=(480, 640))

    assert all(height > width for height, width in sizes)


def test_the_limits_hold():
    collate = ResizeFromDataSizeCollate(
        min_scale=0.1, max_scale=5, min_short_side=200, max_short_side=300, max_ratio=1.2
    )

    sizes = sizes_of(collate)

    assert {min(size) for size in sizes} >= {200, 300}
    assert all(200 <= height <= 300 and width == int(1.2 * height) for height, width in sizes)


def test_squares_are_squares():
    collate = ResizeFromDataSizeCollate(min_scale=0.4, max_scale=1, to_square=True, multiple_of=10)

    assert all(height == width and height % 10 == 0 for height, width in sizes_of(collate))


def test_a_list_may_hold_numbers_and_pairs():
    sizes = sizes_of(ResizeFromListCollate(scales=[64, (96, 128)]))

    assert set(sizes) == {(64, 64), (96, 128)}


@pytest.mark.parametrize("size", [40, 72, (100, 60), 150])
@pytest.mark.parametrize("max_shift", [0, 10])
def test_points_follow_the_pixels(size, max_shift):
    collate = ResizeFromListCollate(scales=[size], max_shift=max_shift)
    seen = 0
    for seed in range(20):
        for sample in collate([dotted_sample(), dotted_sample()], np.random.default_rng(seed)):
            seen += assert_points_follow_dots(sample, tolerance=0.15)

    assert seen > 20


def test_points_outside_the_crop_are_not_labelled_but_defined():
    """DeepLabCut calls them undefined, which takes the whole bodypart out of the loss."""
    visibilities = set()
    for seed in range(20):
        (sample,) = ResizeFromListCollate(scales=[(30, 20)])(
            [dotted_sample()], np.random.default_rng(seed)
        )
        visibilities |= set(finish_sample(sample).keypoints[0, :, 2].tolist())

    assert visibilities == {0.0, 2.0}


def test_the_seed_gives_other_draws_and_each_its_own():
    def draw(seed):
        return sizes_of(ResizeFromDataSizeCollate(min_scale=0.4, max_scale=1, seed=seed), 5)

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_max_size_limits_the_resized_image():
    (sample,) = ResizeFromListCollate(scales=[100], max_size=110, max_shift=0)(
        [sized(161, 119)], np.random.default_rng(0)
    )

    np.testing.assert_allclose(sample.to_network[:, :2], np.diag([110 / 161, 81 / 119]))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: ResizeFromListCollate(scales=[]), "scales must hold at least one size"),
        (lambda: ResizeFromListCollate(scales=[(1, 2, 3)]), "scales must hold numbers or pairs"),
        (lambda: ResizeFromListCollate(scales=[0]), "scales must be at least 1, got 0"),
        (lambda: ResizeFromListCollate(scales=[9], max_shift=-1), "max_shift must be at least 0"),
        (
            lambda: ResizeFromDataSizeCollate(min_scale=1, max_scale=0.5),
            r"\[min_scale, max_scale\] must be",
        ),
        (
            lambda: ResizeFromDataSizeCollate(min_scale=1, max_scale=1, max_ratio=0.5),
            "max_ratio must be at least 1, got 0.5",
        ),
    ],
)
def test_wrong_options_are_refused(make, what):
    with pytest.raises(ValueError, match=what):
        make()


def test_collates_are_registered_by_their_names():
    assert [component.load() for component in register_collates()] == [
        ResizeFromDataSizeCollate,
        ResizeFromListCollate,
    ]


def a_bright_box(box=(4, 6, 25, 40)):
    """A dark image with one bright box."""
    sample = sized(96, 80)
    x, y, width, height = box
    sample.image[y : y + height, x : x + width] = 255
    sample.boxes = np.array([box], np.float32)
    return sample


@pytest.mark.parametrize(
    "collate",
    [
        ResizeFromListCollate(scales=[60, (50, 90), 160]),
        ResizeFromDataSizeCollate(min_scale=0.5, max_scale=2, min_short_side=40, multiple_of=8),
    ],
)
def test_boxes_follow_the_pixels_and_are_cut_by_the_crop(collate):
    cut = 0
    for seed in range(40):
        (sample,) = map(finish_sample, collate([a_bright_box()], np.random.default_rng(seed)))
        rows, columns = np.nonzero(sample.image[..., 0] > 127)
        height, width = sample.image.shape[:2]
        x, y, w, h = sample.boxes[0]
        if not len(rows):
            assert w * h <= 4 * max(w, h)  # at most a strip of pixels
            continue
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        np.testing.assert_allclose([x, y, x + w, y + h], seen, atol=1)
        cut += bool((seen[:2] == 0).any() or (seen[2:] == [width, height]).any())

    assert cut >= 1


@pytest.fixture
def load(tmp_path):
    """Gives the batches of some epochs, made by so many workers."""
    records = []
    for number in range(5):
        sample = a_bright_box((20 + number, 20, 25, 40))
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), sample.image[: 80 - 2 * number])
        records.append(
            Record(
                image=path,
                size=(96, 80 - 2 * number),
                keypoints=sample.keypoints,
                unique_keypoints=sample.unique_keypoints,
                individual_ids=sample.individual_ids,
                boxes=sample.boxes,
            )
        )
    task = PoseTask(("a", "b", "c"))

    def batches(collate, workers, epochs=(1, 2, 1)):
        loader = BatchLoader(
            records,
            task,
            TransformChain(),
            batch_size=2,
            shuffle=True,
            seed=3,
            workers=workers,
            collate=collate,
        )
        try:
            return [list(loader.epoch(epoch)) for epoch in epochs]
        finally:
            loader.close()

    return batches


@pytest.mark.parametrize(
    "collate",
    [
        ResizeFromListCollate(scales=list(range(40, 120))),
        ResizeFromDataSizeCollate(min_scale=0.5, max_scale=1.5, min_short_side=30),
    ],
)
def test_scales_are_new_in_every_batch_and_epoch_whoever_draws_them(load, collate):
    alone, with_workers = load(collate, 0), load(collate, 2)

    for own, others in zip(alone, with_workers, strict=True):
        for batch, other in zip(own, others, strict=True):
            assert torch.equal(batch.images, other.images)
            assert torch.equal(batch.labels.boxes, other.labels.boxes)
            assert torch.equal(batch.to_network, other.to_network)
    sizes = [[batch.images.shape[2:] for batch in batches] for batches in alone]
    assert sizes[0] == sizes[2]
    assert len({*sizes[0], *sizes[1]}) == 6
