"""Records to samples, and samples to batches: boxes, visibility, padding.

Legend: N individuals of an image, M individuals of the task, K keypoints, U unique keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from dlcore.errors import DataError
from dlcore.interfaces.types import LABELLED, Batch, Labels, PoseTask, Record, Sample

if TYPE_CHECKING:
    from dlcore.interfaces.types import FloatArray

NOT_LABELLED, NOT_DEFINED = 0, -1
"""Visibilities of points that nobody marked, and of points that a dataset does not have."""


def make_sample(
    record: Record, image: npt.NDArray[np.uint8], task: PoseTask, box_margin: float
) -> Sample:
    """A sample of one image as it is stored, before any transform.

    Points that are NaN become (0, 0, 0); points outside the image lose their visibility for good.
    Boxes that are not finite become zeros.
    An image whose record has no unique keypoints at all has undefined ones.

    Args:
        record: The labels.
        image: (H, W, 3) uint8, RGB; not copied.
        task: How many points and individuals there may be.
        box_margin: Pixels added around the keypoints where the record has no boxes.

    Raises:
        DataError: If the labels do not fit the task.
    """
    _check_shapes(record, task)
    height, width = image.shape[:2]
    keypoints = settle_visibility(record.keypoints, (width, height))
    unique = record.unique_keypoints
    if len(unique) == 0 and task.unique_keypoints:
        unique = np.zeros((len(task.unique_keypoints), 3), np.float32)
        unique[:, 2] = NOT_DEFINED
    boxes = record.boxes
    if boxes is None:
        boxes = boxes_from_keypoints(keypoints, (width, height), box_margin)
    return Sample(
        image=image,
        keypoints=keypoints,
        unique_keypoints=settle_visibility(unique, (width, height)),
        boxes=np.where(np.isfinite(boxes).all(axis=-1, keepdims=True), boxes, 0).astype(np.float32),
        individual_ids=record.individual_ids.astype(np.int64),
        to_network=np.eye(2, 3),
        neighbours=record.neighbours,
    )


def finish_sample(sample: Sample) -> Sample:
    """Settle what the transforms left open: visibility, and boxes cut by the frame."""
    height, width = sample.image.shape[:2]
    sample.keypoints = settle_visibility(sample.keypoints, (width, height))
    sample.unique_keypoints = settle_visibility(sample.unique_keypoints, (width, height))
    sample.boxes = clip_boxes(sample.boxes, (width, height))
    return sample


def settle_visibility(points: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Points (..., 3) as float32, those outside the image marked as not labelled.

    Inside is 0 <= x < width and 0 <= y < height. Points outside keep their place, NaN becomes
    (0, 0, 0). No visibility is raised, and undefined points (-1) stay so.
    """
    settled = np.array(points, dtype=np.float32)
    undefined = settled[..., 2] == NOT_DEFINED
    settled[~np.isfinite(settled).all(axis=-1)] = 0
    x, y = settled[..., 0], settled[..., 1]
    outside = (x < 0) | (y < 0) | (x >= size[0]) | (y >= size[1])
    settled[outside, 2] = NOT_LABELLED
    settled[undefined, 2] = NOT_DEFINED
    return settled


def boxes_from_keypoints(
    keypoints: FloatArray, size: tuple[int, int], margin: float
) -> npt.NDArray[np.float32]:
    """Boxes (N, 4) xywh around the labelled keypoints (N, K, 3), clipped to the image.

    An individual without labelled keypoints has a box of zeros.
    """
    labelled = keypoints[..., 2:] > LABELLED
    places = keypoints[..., :2]
    low = np.where(labelled, places, np.inf).min(axis=1, initial=np.inf) - margin
    high = np.where(labelled, places, -np.inf).max(axis=1, initial=-np.inf) + margin
    low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    boxes = np.concatenate([low, high - low], axis=-1)
    boxes[~labelled.any(axis=(1, 2))] = 0
    return boxes.astype(np.float32)


def clip_boxes(boxes: FloatArray, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Boxes (N, 4) xywh cut to the image; those without an area there, or with NaN, are zeros."""
    low = np.clip(boxes[:, :2], 0, size)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size)
    clipped = np.concatenate([low, high - low], axis=-1).astype(np.float32)
    clipped[~(clipped[:, 2:] > 0).all(axis=-1)] = 0
    return clipped


def collate(samples: Sequence[Sample], indices: Sequence[int], task: PoseTask) -> Batch:
    """One batch of finished samples whose images have one size.

    The images lie in memory as (B, H, W, 3): `Batch.images` is a channels-last view of that.

    Args:
        samples: Finished with `finish_sample`.
        indices: Positions of their records in the split.
        task: Individuals are padded to its number with rows of zeros and the id -1.
    """
    count, individuals = len(samples), task.num_individuals
    images = torch.empty((count, *samples[0].image.shape), dtype=torch.uint8)
    for target, sample in zip(images.numpy(), samples, strict=True):
        target[...] = sample.image
    keypoints = np.zeros((count, individuals, task.num_keypoints, 3), np.float32)
    unique = np.zeros((count, len(task.unique_keypoints), 3), np.float32)
    ids = np.full((count, individuals), -1, np.int64)
    boxes = np.zeros((count, individuals, 4), np.float32)
    for row, sample in enumerate(samples):
        present = len(sample.keypoints)
        keypoints[row, :present] = sample.keypoints
        unique[row] = sample.unique_keypoints
        ids[row, :present] = sample.individual_ids
        boxes[row, :present] = sample.boxes
    areas = np.maximum(boxes[..., 2], 1) * np.maximum(boxes[..., 3], 1)
    labels = Labels(
        keypoints=torch.from_numpy(keypoints),
        unique_keypoints=torch.from_numpy(unique),
        individual_ids=torch.from_numpy(ids),
        boxes=torch.from_numpy(boxes),
        areas=torch.from_numpy(areas),
    )
    conditions = [sample.conditions for sample in samples if sample.conditions is not None]
    return Batch(
        images=images.permute(0, 3, 1, 2),
        labels=labels,
        to_network=torch.from_numpy(np.stack([sample.to_network for sample in samples])),
        indices=torch.tensor(list(indices), dtype=torch.int64),
        conditions=torch.from_numpy(np.stack(conditions)) if conditions else None,
    )


def _check_shapes(record: Record, task: PoseTask) -> None:
    individuals = len(record.keypoints)
    if individuals > task.num_individuals:
        raise DataError(
            f"the image '{record.image}' has {individuals} labelled individuals, but the config "
            f"knows {task.num_individuals}; add names to metadata.individuals or remove labels"
        )
    expected = {
        "keypoints": (record.keypoints.shape, (individuals, task.num_keypoints, 3)),
        "individual ids": (record.individual_ids.shape, (individuals,)),
    }
    if len(record.unique_keypoints):
        shapes = (record.unique_keypoints.shape, (len(task.unique_keypoints), 3))
        expected["unique keypoints"] = shapes
    if record.boxes is not None:
        expected["boxes"] = (record.boxes.shape, (individuals, 4))
    for name, (actual, wanted) in expected.items():
        if actual != wanted:
            raise DataError(
                f"the {name} of the image '{record.image}' have the shape {actual}, "
                f"but the config needs {wanted}; check metadata.bodyparts against the dataset"
            )
