"""Small stand-ins for real data: for the tests of plugin authors, and for ours.

Everything is deterministic in its arguments. Sizes are (width, height), as in
`dlcore.interfaces`; legend as there.
"""

from __future__ import annotations

from itertools import pairwise
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcore.interfaces import Batch, Features, FeatureSpec, Labels, PoseTask, Sample

BOX_MARGIN = 4
"""Pixels that the boxes of fakes stand off from the keypoints."""


def fake_task(
    num_keypoints: int = 3,
    num_individuals: int = 1,
    num_unique: int = 0,
    *,
    with_identity: bool = False,
) -> PoseTask:
    """A task: keypoints in a chain; the last two, of three or more, are a left-right pair."""
    names = [f"point_{k}" for k in range(num_keypoints)]
    symmetries: tuple[tuple[int, int], ...] = ()
    if num_keypoints >= 3:
        names[-2:] = ["left", "right"]
        symmetries = ((num_keypoints - 2, num_keypoints - 1),)
    return PoseTask(
        keypoints=tuple(names),
        unique_keypoints=tuple(f"corner_{u}" for u in range(num_unique)),
        individuals=tuple(f"individual_{n + 1}" for n in range(num_individuals)),
        with_identity=with_identity,
        skeleton=tuple(pairwise(range(num_keypoints))),
        symmetries=symmetries,
    )


def fake_labels(
    task: PoseTask, size: tuple[int, int] = (64, 64), batch: int = 2, seed: int = 0
) -> Labels:
    """Labels with the cases that occur.

    Everything is visible in the first image. In the last one, if there are several images, the
    first keypoint is not labelled, the last one is occluded, and, if there are several
    individuals, the last individual is padding.
    """
    rng = np.random.default_rng(seed)
    num, k, u = task.num_individuals, task.num_keypoints, len(task.unique_keypoints)
    keypoints = np.zeros((batch, num, k, 3), np.float32)
    unique = np.zeros((batch, u, 3), np.float32)
    ids = np.tile(np.arange(num, dtype=np.int64), (batch, 1))
    for image in range(batch):
        points = _spread_points(rng, num * k + u, size)
        keypoints[image, ..., :2] = points[: num * k].reshape(num, k, 2)
        unique[image, :, :2] = points[num * k :]
    keypoints[..., 2] = unique[..., 2] = 2
    if batch > 1:
        keypoints[-1, :, -1, 2] = 1
        keypoints[-1, 0, 0] = 0
        if num > 1:
            keypoints[-1, -1] = 0
            ids[-1, -1] = -1
    boxes = np.stack([_boxes(image, size) for image in keypoints])
    areas = np.maximum(boxes[..., 2], 1) * np.maximum(boxes[..., 3], 1)
    return Labels(*map(torch.from_numpy, (keypoints, unique, ids, boxes, areas)))


def fake_batch(
    task: PoseTask,
    size: tuple[int, int] = (64, 64),
    batch: int = 2,
    seed: int = 0,
    *,
    normalised: bool = False,
) -> Batch:
    """Images with a disc at each labelled point, and their labels.

    Args:
        task: What is drawn.
        size: (width, height) of the images.
        batch: How many images.
        seed: Chooses places and backgrounds.
        normalised: Whether the images are float32 around zero, as a network receives them,
            instead of uint8, as they travel.
    """
    labels = fake_labels(task, size, batch, seed)
    images = np.stack(
        [
            draw_points(
                np.concatenate([labels.keypoints[i].reshape(-1, 3), labels.unique_keypoints[i]]),
                size,
                seed=seed + i,
            )
            for i in range(batch)
        ]
    )
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    if normalised:
        tensor = (tensor.float() / 255 - 0.45) / 0.22
    to_network = torch.eye(2, 3, dtype=torch.float64).repeat(batch, 1, 1)
    return Batch(tensor, labels, to_network, torch.arange(batch))


@overload
def fake_features(
    features: FeatureSpec, size: tuple[int, int] = ..., batch: int = ..., seed: int = ...
) -> Tensor: ...
@overload
def fake_features(
    features: tuple[FeatureSpec, ...],
    size: tuple[int, int] = ...,
    batch: int = ...,
    seed: int = ...,
) -> tuple[Tensor, ...]: ...
def fake_features(
    features: Features, size: tuple[int, int] = (64, 64), batch: int = 2, seed: int = 0
) -> Tensor | tuple[Tensor, ...]:
    """Random feature maps or tokens as declared, for images of `size` (width, height)."""
    if not isinstance(features, FeatureSpec):
        return tuple(fake_features(spec, size, batch, seed + i) for i, spec in enumerate(features))
    width, height = (-(-side // features.stride) for side in size)
    generator = torch.Generator().manual_seed(seed)
    if features.tokens is not None:
        return torch.randn(batch, features.tokens, features.channels, generator=generator)
    return torch.randn(batch, features.channels, height, width, generator=generator)


def fake_sample(
    task: PoseTask,
    size: tuple[int, int] = (64, 48),
    seed: int = 0,
    *,
    num_individuals: int | None = None,
) -> Sample:
    """One labelled image with a disc at each point.

    `to_network` is not the identity, as if the image had already been shrunk and moved.

    Args:
        task: What is drawn.
        size: (width, height) of the image.
        seed: Chooses places and background.
        num_individuals: How many individuals there are; as many as the task has by default.
    """
    rng = np.random.default_rng(seed)
    num = task.num_individuals if num_individuals is None else num_individuals
    total = num * task.num_keypoints
    points = _spread_points(rng, total + len(task.unique_keypoints), size)
    points = np.concatenate([points, np.full((len(points), 1), 2, np.float32)], axis=1)
    keypoints = points[:total].reshape(num, task.num_keypoints, 3)
    return Sample(
        image=draw_points(points, size, seed=seed),
        keypoints=keypoints,
        unique_keypoints=points[total:],
        boxes=_boxes(keypoints, size),
        individual_ids=np.arange(num, dtype=np.int64),
        to_network=np.array([[0.5, 0.0, -3.0], [0.0, 0.5, 2.0]]),
    )


def draw_points(
    points: npt.ArrayLike, size: tuple[int, int], *, radius: float = 3.0, seed: int = 0
) -> npt.NDArray[np.uint8]:
    """An image (H, W, 3) with one coloured disc for each labelled point.

    Args:
        points: (n, 3) x, y, visibility in continuous pixels: the centre of the first pixel is
            (0.5, 0.5).
        size: (width, height).
        radius: Of the discs, in pixels.
        seed: Chooses the dark, noisy background.
    """
    width, height = size
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 60, (height, width, 3))
    x = np.arange(width) + 0.5
    y = np.arange(height)[:, None] + 0.5
    for number, (px, py, visibility) in enumerate(np.asarray(points, np.float64)):
        if visibility > 0:
            cover = np.clip(radius + 0.5 - np.hypot(x - px, y - py), 0, 1)[..., None]
            image = image * (1 - cover) + _colour(number) * cover
    return np.round(image).astype(np.uint8)


def _colour(number: int) -> npt.NDArray[np.float64]:
    """A bright colour, different for neighbouring numbers."""
    angle = 2.4 * number + np.array([0.0, 2.1, 4.2])  # 2.4 is about the golden angle
    return 175 + 80 * np.cos(angle)


def _spread_points(
    rng: np.random.Generator, number: int, size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Points (number, 2) well inside the image, no two in the same place."""
    columns = max(1, int(np.ceil(np.sqrt(number))))
    rows = max(1, -(-number // columns))
    cells = rng.permutation(columns * rows)[:number]
    inside = rng.uniform(0.25, 0.75, (number, 2))
    places = np.stack([cells % columns, cells // columns], axis=1) + inside
    fractions = 0.1 + 0.8 * places / [columns, rows]
    return (fractions * size).astype(np.float32)


def _boxes(keypoints: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Boxes (N, 4) x, y, width, height around the labelled keypoints (N, K, 3)."""
    boxes = np.zeros((len(keypoints), 4), np.float32)
    for box, points in zip(boxes, keypoints, strict=True):
        labelled = points[points[:, 2] > 0, :2]
        if len(labelled):
            low = np.maximum(labelled.min(axis=0) - BOX_MARGIN, 0)
            high = np.minimum(labelled.max(axis=0) + BOX_MARGIN, size)
            box[:2], box[2:] = low, high - low
    return boxes
