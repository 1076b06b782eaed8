"""Predicted poses beside true ones, and which belongs to which.

Legend: I images, P predictions, G true individuals, K keypoints; missing keypoints and padding are
NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Poses = Sequence[npt.NDArray[np.floating[Any]]]

DEFAULT_SIGMA = 0.1
ANY_OVERLAP = 1e-6
MIN_KEYPOINTS = 2
_SMALLEST_AREA = 1e-9
_LARGEST_ARRAY = 2_000_000  # numbers; larger ones are computed a few images at a time


@dataclass(frozen=True)
class Pairs:
    """Predicted and true poses of the same images, padded with NaN.

    Attributes:
        predicted: (I, P, K, 3) x, y, score; in an image by descending mean score, if sorted.
        true: (I, G, K, 2) x, y.
        confidence: (I, P) mean score of each prediction, NaN where it is missing. A keypoint with a
            score but no place counts, as in DeepLabCut: limbs that are not found make a pose less
            sure.
        rows: (I, P) the row that each prediction has in the array that it was given in.
    """

    predicted: FloatArray
    true: FloatArray
    confidence: FloatArray
    rows: IntArray

    @classmethod
    def of(cls, predictions: Poses, truth: Poses, *, sort: bool = True) -> Pairs:
        """Pad what was found and what is labelled.

        Args:
            predictions: For each image (P, K, 3 or more): x, y, score. A keypoint is missing where
                any of these is NaN or the score is below 0.
            truth: For each image (G, K, 3): x, y, visibility; labelled where that is above 0.
            sort: Whether the best predictions come first.

        Raises:
            ValueError: If the numbers of images or keypoints do not agree.
        """
        if len(predictions) != len(truth):
            raise ValueError(
                f"there are predictions for {len(predictions)} images and labels for {len(truth)}"
            )
        widths = {array.shape[1] for array in (*predictions, *truth)}
        if len(widths) > 1:
            raise ValueError(f"numbers of keypoints differ: {', '.join(map(str, sorted(widths)))}")
        keypoints = widths.pop() if widths else 0
        given = _padded(predictions, keypoints)
        predicted = _complete(given, given[..., 2] >= 0)
        confidence = np.where(num_keypoints_of(predicted) > 0, _mean_scores(given[..., 2]), np.nan)
        labels = _padded(truth, keypoints)
        true = _complete(labels, labels[..., 2] > 0)
        rows = np.broadcast_to(np.arange(predicted.shape[1]), predicted.shape[:2])
        if sort:  # NaN, the missing, come last
            rows = np.argsort(-confidence, axis=1, kind="stable")
            predicted = np.take_along_axis(predicted, rows[:, :, None, None], axis=1)
            confidence = np.take_along_axis(confidence, rows, axis=1)
        return cls(predicted, true[..., :2], confidence, rows)

    @property
    def num_keypoints(self) -> int:
        """K."""
        return int(self.true.shape[2])


def _padded(poses: Poses, keypoints: int) -> FloatArray:
    """(I, N, K, 3); N is at least 1."""
    most = max([1, *(len(array) for array in poses)])
    padded = np.full((len(poses), most, keypoints, 3), np.nan)
    for row, array in zip(padded, poses, strict=True):
        row[: len(array)] = array[..., :3]
    return padded


def _complete(poses: FloatArray, wanted: BoolArray) -> FloatArray:
    """The same (I, N, K, 3) with keypoints NaN that are incomplete or not wanted."""
    there = np.isfinite(poses).all(axis=-1) & wanted
    return np.where(there[..., None], poses, np.nan)


def _mean_scores(scores: FloatArray) -> FloatArray:
    """(I, P) mean over the scores (I, P, K) that are not below 0, NaN where there are none."""
    there = np.isfinite(scores) & (scores >= 0)
    count = there.sum(axis=2)
    return np.where(
        count > 0, np.where(there, scores, 0).sum(axis=2) / np.maximum(count, 1), np.nan
    )


def num_keypoints_of(poses: FloatArray) -> IntArray:
    """(I, N) keypoints that are there."""
    counts: IntArray = np.isfinite(poses[..., 0]).sum(axis=2)
    return counts


def extents(true: FloatArray) -> FloatArray:
    """(I, G, 2) width and height of the box around the labelled keypoints; -inf where none is."""
    seen = np.isfinite(true)
    sides: FloatArray = np.where(seen, true, -np.inf).max(axis=2, initial=-np.inf)
    sides -= np.where(seen, true, np.inf).min(axis=2, initial=np.inf)
    return sides


def comparable(true: FloatArray, margin: float = 0.0) -> tuple[BoolArray, FloatArray]:
    """(I, G) whether an individual has an OKS, for which it needs an area, and that area."""
    labelled = num_keypoints_of(true)
    area = np.where(labelled > 0, np.prod(extents(true) + 2 * margin, axis=-1), 0.0)
    return (labelled >= MIN_KEYPOINTS) & (area > _SMALLEST_AREA), area


def nearest_individuals(
    pairs: Pairs, sigmas: FloatArray, margin: float
) -> tuple[IntArray, FloatArray]:
    """The true individual with the highest OKS for each prediction, (I, P), and that OKS.

    The OKS is -1 where there is none.
    """
    images, predictions, keypoints = pairs.predicted.shape[:3]
    nearest = np.zeros((images, predictions), np.int64)
    overlap = np.full((images, predictions), -1.0)
    each = max(1, predictions * pairs.true.shape[1] * keypoints)
    step = max(1, _LARGEST_ARRAY // each)
    for start in range(0, images, step):
        some = slice(start, start + step)
        oks = _oks(pairs.predicted[some, ..., :2], pairs.true[some], sigmas, margin)
        nearest[some] = oks.argmax(axis=2)
        overlap[some] = oks.max(axis=2)
    return nearest, overlap


def _oks(predicted: FloatArray, true: FloatArray, sigmas: FloatArray, margin: float) -> FloatArray:
    """(I, P, G) object keypoint similarity, -1 where it is not defined."""
    labelled = num_keypoints_of(true)
    defined, area = comparable(true, margin)
    scale = 2 * np.where(defined, area, 1.0)[:, None, :, None] * (2 * sigmas) ** 2
    squared = ((predicted[:, :, None] - true[:, None]) ** 2).sum(axis=-1)
    near = np.nan_to_num(np.exp(-squared / scale), nan=0.0).sum(axis=-1)
    oks = near / np.maximum(labelled, 1)[:, None]
    there = num_keypoints_of(predicted) > 0
    return np.where(there[:, :, None] & defined[:, None], oks, -1.0)


def rival_overlap(nearest: IntArray, overlap: FloatArray) -> FloatArray:
    """(I, P) the highest OKS that a better prediction has with the same individual.

    A prediction can have its individual at a threshold that its own OKS reaches and this one does
    not. It does not try another individual.
    """
    predictions = nearest.shape[1]
    better = np.tri(predictions, k=-1, dtype=bool)
    same = (nearest[:, :, None] == nearest[:, None]) & better
    rival: FloatArray = np.where(same, overlap[:, None], -1.0).max(axis=2)
    return rival


@dataclass(frozen=True)
class Matches:
    """Which predictions are of which individuals: M pairs.

    Attributes:
        image: (M,)
        prediction: (M,) its place in `Pairs.predicted`.
        individual: (M,) its place in `Pairs.true`.
    """

    image: IntArray
    prediction: IntArray
    individual: IntArray


def by_overlap(pairs: Pairs) -> Matches:
    """Each prediction, the best first, with the individual that it is most similar to.

    It stays alone where that individual is taken already, or where it is similar to none at all.
    What counts as an overlap does not depend on the sigmas chosen for mAP.
    """
    sigmas = np.full(pairs.num_keypoints, DEFAULT_SIGMA)
    nearest, overlap = nearest_individuals(pairs, sigmas, 0.0)
    matched = (overlap >= ANY_OVERLAP) & (rival_overlap(nearest, overlap) < ANY_OVERLAP)
    image, prediction = np.nonzero(matched)
    return Matches(image, prediction, nearest[image, prediction])


def first_with_first(pairs: Pairs) -> Matches:
    """The best prediction of each image with its first individual, however far apart they are."""
    image = np.arange(len(pairs.true))
    return Matches(image, np.zeros_like(image), np.zeros_like(image))


def matched_distances(pairs: Pairs, matches: Matches) -> FloatArray:
    """(M, K) pixels between predicted and true keypoints, NaN where one of them is missing."""
    predicted = pairs.predicted[matches.image, matches.prediction, :, :2]
    difference = predicted - pairs.true[matches.image, matches.individual]
    return np.hypot(difference[..., 0], difference[..., 1])


def matched_scores(pairs: Pairs, matches: Matches) -> FloatArray:
    """(M, K) scores of the predicted keypoints."""
    found: FloatArray = pairs.predicted[matches.image, matches.prediction, :, 2]
    return found
