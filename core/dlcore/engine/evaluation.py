"""Evaluation: predictions back to the original images, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dlcore.engine.identities import by_identity, identity_scores
from dlcore.engine.metrics import pose_metrics
from dlcore.interfaces import Batch, Record

Array = npt.NDArray[np.float64]

BODYPART = "bodypart"
UNIQUE_BODYPART = "unique_bodypart"
IDENTITY = "identity"


class Predictions:
    """Poses of the records of a split, in pixels of the original images.

    Attributes:
        poses: Per record (N, K, 3): x, y, score; None where nothing was predicted yet. Where a head
            tells identities, row i is individual i of the task.
        unique: Per record (1, U, 3), or None.
    """

    def __init__(self, num_records: int) -> None:
        self.poses: list[Array | None] = [None] * num_records
        self.unique: list[Array | None] = [None] * num_records


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of processes that saw different records of one split."""
    if len(parts) == 1:
        return parts[0]
    whole = Predictions(len(parts[0].poses))
    for part in parts:
        for index, (poses, unique) in enumerate(zip(part.poses, part.unique, strict=True)):
            if poses is not None:
                whole.poses[index] = poses
            if unique is not None:
                whole.unique[index] = unique
    return whole


def collect_predictions(
    predictions: Predictions, batch: Batch, decoded: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Store what a model decoded from a batch under the records that it came from."""
    matrices = batch.to_network.cpu().numpy()
    indices = batch.indices.tolist()
    for head, places in ((BODYPART, predictions.poses), (UNIQUE_BODYPART, predictions.unique)):
        if head not in decoded:
            continue
        found = decoded[head]["poses"]
        # Poses are small: one copy a batch keeps all of them off the device.
        poses = list(found.double().cpu().numpy())
        if head == BODYPART and IDENTITY in decoded:
            scores = identity_scores(found, decoded[IDENTITY]["heatmap"]).double().cpu().numpy()
            poses = [by_identity(*image) for image in zip(poses, scores, strict=True)]
        for index, matrix, individuals in zip(indices, matrices, poses, strict=True):
            places[index] = to_original(individuals[..., :3], matrix)


def to_original(poses: Array, matrix: Array) -> Array:
    """Poses (N, K, 3) in pixels of the network's input to pixels of the original image.

    Missing individuals (scores below 0) become NaN, so that nothing takes them for a place.

    Args:
        poses: x, y, score.
        matrix: (2, 3), original image to network input.
    """
    inverse = np.linalg.inv(matrix[:, :2])
    mapped: Array = poses.copy()
    mapped[..., :2] = (poses[..., :2] - matrix[:, 2]) @ inverse.T
    mapped[poses[..., 2] < 0] = np.nan
    return mapped


def evaluate_predictions(
    predictions: Predictions, records: Sequence[Record], *, pcutoff: float = 0.6
) -> dict[str, float]:
    """Metrics over all images that have predictions; see `dlcore.engine.metrics`.

    Records of one image, as the crops of a top-down model are, count together.

    Args:
        predictions: What was predicted.
        records: The truth, in the same order.
        pcutoff: Score from which a keypoint counts in `rmse_pcutoff`.
    """
    poses, pose_truth = _pairs(predictions.poses, [r.keypoints for r in records], records)
    unique_labels = [record.unique_keypoints[None] for record in records]
    unique, unique_truth = _pairs(predictions.unique, unique_labels, records)
    return pose_metrics(
        poses,
        pose_truth,
        unique_predictions=unique or None,
        unique_truth=unique_truth or None,
        pcutoff=pcutoff,
    )


def _pairs(
    predicted: Sequence[Array | None], labels: Sequence[npt.ArrayLike], records: Sequence[Record]
) -> tuple[list[Array], list[Array]]:
    """Predictions and truth of the images that have predictions."""
    found: dict[Path, list[tuple[Array, Array]]] = {}
    for poses, keypoints, record in zip(predicted, labels, records, strict=True):
        if poses is not None:
            pair = (poses, truth(keypoints, record.size))
            found.setdefault(record.image, []).append(pair)
    images = list(found.values())
    return (
        [np.concatenate([poses for poses, _ in pairs]) for pairs in images],
        [np.concatenate([labels for _, labels in pairs]) for pairs in images],
    )


def truth(keypoints: npt.ArrayLike, size: tuple[int, int] | None) -> Array:
    """Labelled keypoints (N, K, 3); the visibility of those outside the image becomes 0.

    Args:
        keypoints: x, y, visibility.
        size: (width, height) of the image; None where it is not known.
    """
    labels = np.array(keypoints, dtype=np.float64)
    x, y = labels[..., 0], labels[..., 1]
    labelled = np.isfinite(x) & np.isfinite(y)
    if size is not None:
        labelled &= (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    labels[~labelled & (labels[..., 2] > 0), 2] = 0
    return labels
