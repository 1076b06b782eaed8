"""Box metrics as COCO defines them: average precision and recall by intersection over union.

Images are computed side by side. Legend: I images, P predictions, G true boxes, T thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Arrays = Sequence[npt.NDArray[np.floating[Any]]]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = 100
NAMES = {"50:95": slice(None), "50": slice(0, 1), "75": slice(5, 6)}
_LARGEST_ARRAY = 2_000_000  # numbers; larger ones are computed a few images at a time


def box_metrics(boxes: Arrays, scores: Arrays, truth: Arrays) -> dict[str, float]:
    """Compare predicted with true boxes, as pycocotools does for boxes of all sizes.

    Args:
        boxes: For each image (P, 4) x, y, width, height; of more than 100, the best 100 count.
        scores: For each image (P,).
        truth: For each image (G, 4); boxes without an area, or with NaN, are left out.

    Returns:
        `mAP@50:95`, `mAP@50`, `mAP@75` and the same of `mAR`, in percent; NaN without true boxes.

    Raises:
        ValueError: If the numbers of images, boxes or scores do not agree.
    """
    if not len(boxes) == len(scores) == len(truth):
        raise ValueError(
            f"there are boxes for {len(boxes)} images, scores for {len(scores)} and labels for "
            f"{len(truth)}"
        )
    predicted, true = [], []
    for found, certain, labelled in zip(boxes, scores, truth, strict=True):
        best = np.argsort(-np.asarray(certain, np.float64), kind="stable")[:MAX_DETECTIONS]
        columns = np.concatenate([found, np.reshape(certain, (-1, 1))], axis=1)
        predicted.append(np.asarray(columns[best], np.float64))
        sound = np.isfinite(labelled).all(axis=1) & (labelled[:, 2:] > 0).all(axis=1)
        true.append(np.asarray(labelled[sound], np.float64))
    num_true = sum(map(len, true))
    if not num_true:
        return {f"{name}@{level}": np.nan for name in ("mAP", "mAR") for level in NAMES}
    all_scores, matched = _match(predicted, true)
    precision, recall = _precision_and_recall(all_scores, matched, num_true)
    return {
        f"{name}@{level}": 100 * float(values[some].mean())
        for name, values in (("mAP", precision), ("mAR", recall))
        for level, some in NAMES.items()
    }


def intersection_over_union(first: FloatArray, second: FloatArray) -> FloatArray:
    """(..., P, 4) and (..., G, 4) boxes, xywh, to (..., P, G); 0 where both have no area."""
    first, second = first[..., :, None, :], second[..., None, :, :]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    union = np.prod(first[..., 2:], axis=-1) + np.prod(second[..., 2:], axis=-1) - shared
    overlap: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlap


def _match(predicted: list[FloatArray], true: list[FloatArray]) -> tuple[FloatArray, BoolArray]:
    """Scores (N,) of all predictions, and (N, T) whether each found a true box."""
    most = max(1, *(len(array) for array in predicted)), max(1, *(len(array) for array in true))
    step = max(1, _LARGEST_ARRAY // (most[0] * most[1] * 4))
    scores, matched = [np.zeros(0)], [np.zeros((0, len(IOU_THRESHOLDS)), bool)]
    for start in range(0, len(predicted), step):
        found, labelled = (
            _padded(arrays[start : start + step], width, columns)
            for arrays, width, columns in zip((predicted, true), most, (5, 4), strict=True)
        )
        overlap = np.nan_to_num(intersection_over_union(found[..., :4], labelled), nan=-1.0)
        there = np.isfinite(found[..., 4])
        scores.append(found[..., 4][there])
        matched.append(_greedy(overlap)[there])
    return np.concatenate(scores), np.concatenate(matched)


def _padded(arrays: list[FloatArray], width: int, columns: int) -> FloatArray:
    padded = np.full((len(arrays), width, columns), np.nan)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded


def _greedy(overlap: FloatArray) -> BoolArray:
    """Predictions choose in order: each takes the nearest true box that is left.

    Args:
        overlap: (I, P, G), best predictions first, -1 where there is nothing.

    Returns:
        (I, P, T) whether a prediction got a box that overlaps by the threshold.
    """
    images, predictions, boxes = overlap.shape
    left = np.ones((images, len(IOU_THRESHOLDS), boxes), bool)
    matched = np.zeros((images, predictions, len(IOU_THRESHOLDS)), bool)
    for rank in range(predictions):
        candidates = np.where(left, overlap[:, rank, None], -1.0)
        chosen = boxes - 1 - candidates[..., ::-1].argmax(axis=2)  # the last one of equals
        value = np.take_along_axis(candidates, chosen[..., None], axis=2)[..., 0]
        matched[:, rank] = value >= IOU_THRESHOLDS
        image, threshold = np.nonzero(matched[:, rank])
        left[image, threshold, chosen[image, threshold]] = False
    return matched


def _precision_and_recall(
    scores: FloatArray, matched: BoolArray, num_true: int
) -> tuple[FloatArray, FloatArray]:
    """Precision averaged over recall levels, and highest recall, each (T,)."""
    order = np.argsort(-scores, kind="stable")
    precision, recall = np.zeros(len(IOU_THRESHOLDS)), np.zeros(len(IOU_THRESHOLDS))
    if not len(scores):
        return precision, recall
    hits = np.cumsum(matched[order], axis=0)
    for index, column in enumerate(hits.T):
        reached = column / num_true
        envelope = np.maximum.accumulate((column / np.arange(1, len(column) + 1))[::-1])[::-1]
        places = np.searchsorted(reached, RECALL_LEVELS, side="left")
        precision[index] = np.append(envelope, 0.0)[places].mean()
        recall[index] = reached[-1]
    return precision, recall
