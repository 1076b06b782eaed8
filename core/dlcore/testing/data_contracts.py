"""Contracts of what brings images and labels: transforms, collates, datasets."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt
import torch

from dlcore.interfaces import (
    Collate,
    GeometricTransform,
    PoseDataset,
    PoseTask,
    Record,
    Sample,
    Transform,
)
from dlcore.testing.assertions import (
    expect,
    expect_instance,
    global_randomness_guard,
)
from dlcore.testing.fakes import draw_points, fake_sample, fake_task

Points = npt.NDArray[np.floating]

SPLITS = ("train", "test", "validation")


def check_transform(
    transform: Transform,
    task: PoseTask | None = None,
    *,
    size: tuple[int, int] = (64, 48),
    affine: bool = True,
    draws: int = 6,
) -> None:
    """Check a transform on fake samples, with and without individuals.

    It keeps the number and order of points and boxes, moves points as `to_network` says and pixels
    with them, gives uint8 images, leaves the array of the image it was given as it was, and draws
    only from the generator it is given.

    Args:
        transform: What to check.
        task: What it was built for; three keypoints of two individuals by default.
        size: (width, height) of the images.
        affine: Whether points move as `to_network` says. Switch it off for local deformations.
        draws: How many random numbers to try.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(transform).__name__
    task = task or fake_task(num_individuals=2, num_unique=1)
    expect_instance(transform, Transform, what)
    expect(
        isinstance(transform.order, (int, float)) and math.isfinite(transform.order),
        f"{what}: order is {transform.order!r}; it must be a number",
    )
    samples = [
        fake_sample(task, size),
        fake_sample(task, (size[0] + 7, size[1] + 5), seed=1),
        _with_lost_point(fake_sample(task, size, seed=2)),
        fake_sample(task, size, num_individuals=0),
    ]
    for sample in samples:
        for seed in range(draws):
            after = _apply(lambda s, r: [transform(s[0], r)], [sample], seed, what)[0]
            _expect_sample(sample, after, what, affine=affine)
            if isinstance(transform, GeometricTransform):
                _expect_nothing_lost(sample, after, what)
    if isinstance(transform, GeometricTransform):
        for seed in range(draws):
            before = _one_disc(task, size)
            _expect_pixels_follow(before, _run(transform, before, seed), what)
    _check_stand_in(transform, samples[0], what)


def check_collate(
    collate: Collate,
    task: PoseTask | None = None,
    *,
    sizes: Sequence[tuple[int, int]] = ((64, 48), (96, 80), (50, 70)),
    draws: int = 6,
) -> None:
    """Check a collate on images of different sizes.

    It gives all of them one size, and keeps the promises of `check_transform`.

    Args:
        collate: What to check.
        task: What the samples show; three keypoints of two individuals by default.
        sizes: (width, height) of each image.
        draws: How many random numbers to try.

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(collate).__name__
    task = task or fake_task(num_individuals=2, num_unique=1)
    expect_instance(collate, Collate, what)
    samples = [fake_sample(task, size, seed=i) for i, size in enumerate(sizes)]
    for seed in range(draws):
        result = _apply(collate, samples, seed, what)
        expect(
            len(result) == len(samples),
            f"{what} makes {len(result)} samples of {len(samples)}; it must keep each one",
        )
        shapes = {after.image.shape for after in result}
        expect(len(shapes) == 1, f"{what} leaves images of different shapes: {sorted(shapes)}")
        for before, after in zip(samples, result, strict=True):
            _expect_sample(before, after, what, affine=True)


def check_dataset(dataset: PoseDataset) -> None:
    """Check that a dataset's records are complete, repeatable and agree with its task.

    Every image must exist and have the size that its record states.

    Args:
        dataset: What to check, with at least one record in "train".

    Raises:
        AssertionError: If a promise is broken; the message says which.
    """
    what = type(dataset).__name__
    expect_instance(dataset, PoseDataset, what)
    expect(isinstance(dataset.task, PoseTask), f"{what} must set task in its constructor")
    splits = dataset.splits()
    expect(
        isinstance(splits, tuple) and "train" in splits and set(splits) <= set(SPLITS),
        f"{what}: splits gives {splits!r}; it must give 'train' and others of {SPLITS}",
    )
    expect(dataset.records("train"), f"{what} has no training images")
    seen: dict[object, str] = {}
    for split in splits:
        records = dataset.records(split)
        again = dataset.records(split)
        expect(
            [r.image for r in records] == [r.image for r in again],
            f"{what} gives the records of {split!r} in a different order each time",
        )
        for record in records:
            _expect_record(record, dataset.task, f"{what}: {str(record.image)!r}")
            expect(
                record.image not in seen or seen[record.image] == split,
                f"{what}: {str(record.image)!r} is in {split!r} and {seen.get(record.image)!r}",
            )
            seen[record.image] = split


def _check_stand_in(transform: Transform, sample: Sample, what: str) -> None:
    stand_in = transform.for_inference()
    expect(isinstance(stand_in, Transform), f"{what}: for_inference must give a Transform")
    if stand_in is transform:
        return
    first, second = (_run(stand_in, sample, seed) for seed in (0, 1))
    expect(
        np.array_equal(first.image, second.image)
        and np.array_equal(first.keypoints, second.keypoints, equal_nan=True),
        f"{what}: what for_inference gives must leave nothing to chance",
    )


def _run(transform: Transform, sample: Sample, seed: int) -> Sample:
    return transform(copy.deepcopy(sample), np.random.default_rng(seed))


def _apply(
    change: Callable[[list[Sample], np.random.Generator], list[Sample]],
    samples: list[Sample],
    seed: int,
    what: str,
) -> list[Sample]:
    """Apply twice with the same generator, under different global seeds; guard what is shared."""
    results = []
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        for global_seed in (1, 2):
            random.seed(global_seed)
            np.random.seed(global_seed)
            torch.manual_seed(global_seed)
            given = copy.deepcopy(samples)
            for sample in given:
                sample.image.flags.writeable = False  # as the engine's cache gives them
            with global_randomness_guard(what), _message_for_read_only(what):
                results.append(change(given, np.random.default_rng(seed)))
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])
    first, second = results
    for a, b in zip(first, second, strict=True):
        expect(isinstance(a, Sample), f"{what} must return samples, not {type(a).__name__}")
        expect(
            np.array_equal(a.image, b.image)
            and np.array_equal(a.keypoints, b.keypoints, equal_nan=True)
            and np.array_equal(a.boxes, b.boxes)
            and np.array_equal(a.to_network, b.to_network),
            f"{what} gives different results for the same generator state",
        )
    return first


@contextmanager
def _message_for_read_only(what: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise AssertionError(
            f"{what} changes the array of the image it is given, which others share; it must "
            f"make a new one"
        ) from error


def _expect_sample(before: Sample, after: Sample, what: str, *, affine: bool) -> None:
    image = after.image
    expect(
        image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3,
        f"{what} gives an image of type {image.dtype} and shape {image.shape}; "
        f"it must be uint8 (H, W, 3)",
    )
    for name in ("keypoints", "unique_keypoints", "boxes", "individual_ids", "to_network"):
        old, new = getattr(before, name), getattr(after, name)
        expect(
            new.shape == old.shape and new.dtype == old.dtype,
            f"{what} turns {name} {old.shape} {old.dtype} into {new.shape} {new.dtype}",
        )
    expect(
        np.array_equal(before.individual_ids, after.individual_ids),
        f"{what} changes individual_ids; it must keep the order of individuals",
    )
    expect(
        np.isfinite(after.boxes).all() and (after.boxes[:, 2:] >= 0).all(),
        f"{what} gives boxes that are not finite or of negative size",
    )
    expect(np.isfinite(after.to_network).all(), f"{what} gives a to_network that is not finite")
    if not affine:
        return
    moved = _relative(before, after)
    _expect_points("keypoints", before.keypoints, after.keypoints, moved, what)
    unique = before.unique_keypoints[None], after.unique_keypoints[None]
    _expect_points("unique keypoints", *unique, moved, what)


def _expect_points(name: str, before: Points, after: Points, moved: Points, what: str) -> None:
    """Points (n, K, 3) must be where `moved` (2, 3) puts them; a mirror may swap left and right."""
    expected = before.astype(np.float64)
    expected[..., :2] = expected[..., :2] @ moved[:, :2].T + moved[:, 2]
    if np.linalg.det(moved[:, :2]) < 0:
        expected = expected[:, _order_after_mirror(expected, after)]
    lost, unknown = (np.isnan(points[..., :2]).any(axis=-1) for points in (after, expected))
    expect(
        not (unknown & ~lost).any(),
        f"{what} makes up a place for {name} whose place was not known (NaN)",
    )
    off = np.hypot(*np.moveaxis(after[..., :2] - expected[..., :2], -1, 0))[~lost]
    expect(
        not off.size or off.max() < 0.01,
        f"{what}: {name} are up to {off.max(initial=0):.2f} pixels from where to_network has them",
    )
    expect(
        np.array_equal(after[~lost][:, 2], expected[~lost][:, 2]),
        f"{what} changes the visibility of {name}; that is settled at the end of the chain",
    )


def _order_after_mirror(expected: Points, after: Points) -> npt.NDArray[np.int64]:
    """Which point stands where in the first individual that is known; others must follow it."""
    for want, got in zip(expected, after, strict=True):
        if np.isfinite(want).all() and np.isfinite(got).all() and len(want):
            distances = np.linalg.norm(got[:, None, :2] - want[None, :, :2], axis=-1)
            return np.asarray(distances.argmin(axis=1), np.int64)
    return np.arange(expected.shape[1])


def _expect_nothing_lost(before: Sample, after: Sample, what: str) -> None:
    expect(
        np.isnan(after.keypoints).sum() == np.isnan(before.keypoints).sum(),
        f"{what} loses points; one that leaves the image must keep its coordinates",
    )


def _relative(before: Sample, after: Sample) -> Points:
    """The (2, 3) map from pixels of `before` to pixels of `after`, from their `to_network`."""
    square = [np.vstack([sample.to_network, [0, 0, 1]]) for sample in (after, before)]
    return (square[0] @ np.linalg.inv(square[1]))[:2]


def _with_lost_point(sample: Sample) -> Sample:
    if sample.keypoints.size:
        sample.keypoints[0, 0, :2] = np.nan
    return sample


def _one_disc(task: PoseTask, size: tuple[int, int]) -> Sample:
    """A black image with a single white disc, at the first keypoint of the first individual."""
    sample = fake_sample(task, size)
    sample.keypoints[0, :, :2] = 0.47 * size[0], 0.53 * size[1]
    disc = draw_points(sample.keypoints[0, :1], size)
    sample.image = np.where(disc > 100, disc, 0).max(axis=2, keepdims=True).repeat(3, axis=2)
    return sample


def _expect_pixels_follow(before: Sample, after: Sample, what: str) -> None:
    """The disc must be where its keypoint is, to a third of a pixel."""
    scale = math.sqrt(abs(np.linalg.det(_relative(before, after)[:, :2])))
    x, y = map(float, after.keypoints[0, 0, :2])
    reach = math.ceil(5 * scale + 1)
    left, top = round(x) - reach, round(y) - reach
    window = after.image[max(top, 0) : top + 2 * reach, max(left, 0) : left + 2 * reach, 0]
    if scale < 0.5 or left < 0 or top < 0 or window.shape != (2 * reach, 2 * reach):
        return  # cut by the border, or too small to tell
    weights = window.astype(np.float64)
    expect(weights.sum() > 0, f"{what} moves keypoints to places where their pixels are not")
    rows, columns = np.indices(weights.shape) + 0.5
    found_x = left + (columns * weights).sum() / weights.sum()
    found_y = top + (rows * weights).sum() / weights.sum()
    distance = math.hypot(found_x - x, found_y - y)
    expect(
        distance < 0.35,
        f"{what}: pixels are {distance:.2f} pixels away from the keypoint that was on them; mind "
        f"that the centre of the first pixel is (0.5, 0.5)",
    )


def _expect_record(record: Record, task: PoseTask, what: str) -> None:
    expect(isinstance(record, Record), f"{what}: it is not a Record")
    num = len(record.keypoints)
    shapes = {
        "keypoints": (num, task.num_keypoints, 3),
        "unique_keypoints": (len(task.unique_keypoints), 3),
        "individual_ids": (num,),
        "boxes": (num, 4),
    }
    for name, shape in shapes.items():
        value = getattr(record, name)
        if (name == "boxes" and value is None) or (name == "unique_keypoints" and not len(value)):
            continue  # left to the engine: boxes from keypoints, unique keypoints not defined
        expect(value.shape == shape, f"{what}: {name} has shape {value.shape}, not {shape}")
    ids = record.individual_ids
    expect(
        ((ids >= 0) & (ids < task.num_individuals)).all() and len(set(ids.tolist())) == num,
        f"{what}: individual_ids are {ids.tolist()}; they must be different and below "
        f"{task.num_individuals}",
    )
    for points in (record.keypoints, record.unique_keypoints):
        expect(
            np.isin(points[..., 2], (-1, 0, 1, 2)).all(),
            f"{what}: visibility must be -1, 0, 1 or 2",
        )
        expect(
            np.isfinite(points[points[..., 2] > 0]).all(), f"{what}: a labelled point is not finite"
        )
    expect(
        record.boxes is None or (record.boxes[:, 2:] >= 0).all(), f"{what}: a box has negative size"
    )
    expect(record.image.is_file(), f"{what}: the image is missing")
    if record.size is not None:
        image = cv2.imread(str(record.image))
        expect(image is not None, f"{what}: the image cannot be read")
        assert image is not None  # for the type checker
        height, width = image.shape[:2]
        expect(
            record.size == (width, height),
            f"{what}: the record says {record.size}, the image is {width}x{height}",
        )
