"""Pose metrics as DeepLabCut defines them: OKS mAP and mAR, and mean errors in pixels.

All images are computed at once. Legend: I images, P predictions, G true individuals, K keypoints,
U unique keypoints; missing keypoints and padding are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dlcore.engine.pose_matching import (
    DEFAULT_SIGMA,
    MIN_KEYPOINTS,
    FloatArray,
    IntArray,
    Pairs,
    Poses,
    by_overlap,
    first_with_first,
    matched_distances,
    matched_scores,
    nearest_individuals,
    num_keypoints_of,
    rival_overlap,
)

OKS_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
NEAREST_CANDIDATES = 3


def pose_metrics(
    predictions: Poses,
    truth: Poses,
    *,
    unique_predictions: Poses | None = None,
    unique_truth: Poses | None = None,
    pcutoff: float | Sequence[float] = 0.6,
    oks_sigma: float | Sequence[float] = DEFAULT_SIGMA,
    oks_margin: float = 0.0,
    single_animal: bool = False,
    per_keypoint: bool = False,
) -> dict[str, float]:
    """Compare predicted with true poses.

    Names and definitions are DeepLabCut's, so that numbers can be compared. Mind that `rmse` is
    the mean distance between predicted and true keypoints, and that, unless `single_animal`, it
    leaves out predictions that overlap no animal: it does not show what was missed, mAR does.

    Args:
        predictions: For each image (P, K, 3 or more): x, y, score. A keypoint is missing where any
            of these is NaN or the score is below 0; further columns are ignored.
        truth: For each image (G, K, 3): x, y, visibility; labelled where visibility is above 0.
        unique_predictions: For each image (U, 3 or more) or (1, U, 3 or more), as `predictions`.
        unique_truth: For each image (U, 3) or (1, U, 3), as `truth`.
        pcutoff: `rmse_pcutoff` counts keypoints with at least this score: one number, or one for
            each keypoint followed by one for each unique keypoint.
        oks_sigma: For mAP and mAR, the distance that counts as near, as a fraction of an animal's
            size: one number, or one for each keypoint.
        oks_margin: For mAP and mAR, pixels added on each side of an animal to make up its size.
        single_animal: Compare the best prediction with the one animal of each image, however far
            apart they are.
        per_keypoint: Give `rmse_keypoint_<i>` and `rmse_unique_keypoint_<i>`, too.

    Returns:
        `rmse` and `rmse_pcutoff` in pixels, `mAP` and `mAR` in percent; NaN where there is nothing
        to compare.

    Raises:
        ValueError: If the numbers of images, keypoints, cutoffs or sigmas do not agree.
    """
    poses = Pairs.of(predictions, truth)
    unique = Pairs.of(_with_axis(unique_predictions), _with_axis(unique_truth))
    cutoffs = _for_each("pcutoff", pcutoff, poses.num_keypoints + unique.num_keypoints)
    sigmas = _for_each("oks_sigma", oks_sigma, poses.num_keypoints)

    matches = first_with_first(poses) if single_animal else by_overlap(poses)
    found, certainty = matched_distances(poses, matches), matched_scores(poses, matches)
    unique_matches = first_with_first(unique)
    unique_found = matched_distances(unique, unique_matches)
    unique_certainty = matched_scores(unique, unique_matches)

    pooled = np.concatenate([found.ravel(), unique_found.ravel()])
    certain = np.concatenate(
        [
            (certainty >= cutoffs[: poses.num_keypoints]).ravel(),
            (unique_certainty >= cutoffs[poses.num_keypoints :]).ravel(),
        ]
    )
    metrics = {"rmse": _mean(pooled), "rmse_pcutoff": _mean(pooled[certain])}
    if per_keypoint:
        for i, column in enumerate(found.T):
            metrics[f"rmse_keypoint_{i}"] = _mean(column)
        for i, column in enumerate(unique_found.T):
            metrics[f"rmse_unique_keypoint_{i}"] = _mean(column)
    metrics["mAP"], metrics["mAR"] = _average_precision(poses, sigmas, oks_margin)
    return metrics


def detection_metrics(
    predictions: Poses,
    truth: Poses,
    *,
    unique_predictions: Poses | None = None,
    unique_truth: Poses | None = None,
    pcutoff: float | Sequence[float] = 0.6,
) -> dict[str, float]:
    """Compare keypoints one by one, whichever individual they were assembled into.

    The true and the predicted places of a keypoint in an image are paired greedily: the true place
    with the nearest prediction chooses first, among its three nearest that are left.

    Args:
        predictions: As for `pose_metrics`, like all that follow.
        truth: Labelled poses.
        unique_predictions: Predicted unique keypoints.
        unique_truth: Labelled unique keypoints.
        pcutoff: The score that counts for `rmse_detections_pcutoff`.

    Returns:
        `rmse_detections` and `rmse_detections_pcutoff`: mean distances in pixels.

    Raises:
        ValueError: If the numbers of images, keypoints or cutoffs do not agree.
    """
    poses = Pairs.of(predictions, truth)
    unique = Pairs.of(_with_axis(unique_predictions), _with_axis(unique_truth))
    cutoffs = _for_each("pcutoff", pcutoff, poses.num_keypoints + unique.num_keypoints)
    columns = [(pairs, k) for pairs in (poses, unique) for k in range(pairs.num_keypoints)]
    distances, certain = [np.zeros(0)], [np.zeros(0, bool)]
    for (pairs, k), cutoff in zip(columns, cutoffs, strict=True):
        image, individual, prediction = _nearest_points(pairs, k)
        predicted = pairs.predicted[image, prediction, k]
        difference = predicted[:, :2] - pairs.true[image, individual, k]
        distances.append(np.hypot(difference[:, 0], difference[:, 1]))
        certain.append(predicted[:, 2] >= cutoff)
    pooled = np.concatenate(distances)
    return {
        "rmse_detections": _mean(pooled),
        "rmse_detections_pcutoff": _mean(pooled[np.concatenate(certain)]),
    }


def identity_accuracy(
    predictions: Poses, truth: Poses, identity_scores: Poses
) -> npt.NDArray[np.float64]:
    """How often the identity head names the right animal, for each keypoint.

    Args:
        predictions: For each image (P, K, 3 or more), as for `pose_metrics`.
        truth: For each image (N, K, 3), row n being individual n.
        identity_scores: For each image (P, K, N), the score of each individual at each prediction.

    Returns:
        (K,) fractions between 0 and 1, NaN where no keypoint was found.

    Raises:
        ValueError: If the numbers of images or keypoints do not agree.
    """
    pairs = Pairs.of(predictions, truth, sort=False)
    named = np.full(pairs.predicted.shape[:3], -1)
    for row, scores in zip(named, identity_scores, strict=True):
        if len(scores):
            row[: len(scores)] = np.argmax(scores, axis=2)
    accuracies = np.full(pairs.num_keypoints, np.nan)
    for k in range(pairs.num_keypoints):
        image, individual, prediction = _nearest_points(pairs, k)
        if len(image):
            accuracies[k] = np.mean(named[image, prediction, k] == individual)
    return accuracies


def _nearest_points(pairs: Pairs, keypoint: int) -> tuple[IntArray, IntArray, IntArray]:
    """Image, individual and prediction, each (M,), of the M pairs of one keypoint."""
    difference = pairs.true[:, :, None, keypoint] - pairs.predicted[:, None, :, keypoint, :2]
    distance = np.hypot(difference[..., 0], difference[..., 1])
    distance = np.where(np.isnan(distance), np.inf, distance)
    rank = distance.argsort(axis=2, kind="stable").argsort(axis=2)
    distance[rank >= NEAREST_CANDIDATES] = np.inf
    turns = distance.min(axis=2).argsort(axis=1, kind="stable")
    images = np.arange(len(distance))
    taken = np.zeros(pairs.predicted.shape[:2], bool)
    found = []
    for individual in turns.T:
        left = np.where(taken, np.inf, distance[images, individual])
        prediction = left.argmin(axis=1)
        there = np.isfinite(left[images, prediction])
        taken[images[there], prediction[there]] = True
        found.append(np.stack([images, individual, prediction])[:, there])
    image, individual, prediction = np.concatenate(found, axis=1)
    return image, individual, prediction


def _average_precision(pairs: Pairs, sigmas: FloatArray, margin: float) -> tuple[float, float]:
    """The mAP and mAR in percent, over individuals and predictions of two keypoints or more."""
    counts = num_keypoints_of(pairs.predicted) >= MIN_KEYPOINTS
    individuals = int((num_keypoints_of(pairs.true) >= MIN_KEYPOINTS).sum())
    if not counts.any():
        return 0.0, 0.0
    if not individuals:
        return np.nan, np.nan
    nearest, overlap = nearest_individuals(pairs, sigmas, margin)
    overlap = np.where(counts, overlap, -1.0)
    order = np.argsort(-pairs.confidence[counts], kind="stable")
    own = overlap[counts][order]
    rival = rival_overlap(nearest, overlap)[counts][order]
    precisions, recalls = [], []
    for threshold in OKS_THRESHOLDS:
        true_positives = np.cumsum((own >= threshold) & (rival < threshold))
        recall = true_positives / individuals
        precision = true_positives / np.arange(1, len(own) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        reached = np.searchsorted(recall, RECALL_LEVELS, side="left")
        precisions.append(np.append(envelope, 0.0)[reached].mean())
        recalls.append(recall[-1])
    return 100 * float(np.mean(precisions)), 100 * float(np.mean(recalls))


def _with_axis(poses: Poses | None) -> Poses:
    """Unique keypoints as those of one individual: (1, U, C)."""
    if poses is None:
        return ()
    return [array[None] if array.ndim == 2 else array for array in poses]


def _for_each(name: str, value: float | Sequence[float], count: int) -> FloatArray:
    values = np.asarray(value, dtype=np.float64)
    if values.ndim and len(values) != count:
        raise ValueError(f"{name} has {len(values)} values for {count} keypoints")
    return np.broadcast_to(values, (count,))


def _mean(values: FloatArray) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
