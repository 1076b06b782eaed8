"""How good a trained model is on labelled images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from dlcore.data.images import read_image
from dlcore.engine.box_metrics import box_metrics
from dlcore.engine.detector_runner import true_boxes
from dlcore.engine.evaluation import Predictions, evaluate_predictions, truth
from dlcore.inference.estimators import PoseEstimator, TopDownEstimator
from dlcore.inference.images import InputImage, record_key
from dlcore.interfaces import Prediction, Record

Boxes = Literal["detector", "truth"]
Array = npt.NDArray[np.float64]

FOUND = 0.5
"""An individual counts as found from this overlap (IoU) of its box with a predicted one."""


@dataclass(frozen=True)
class Evaluation:
    """Predictions of labelled images, and how good they are.

    Attributes:
        records: The labelled images.
        predictions: In the same order.
        metrics: By name.
    """

    records: list[Record]
    predictions: list[Prediction]
    metrics: dict[str, float]


def evaluate(
    estimator: PoseEstimator[Any],
    records: Sequence[Record],
    *,
    boxes: Boxes = "detector",
    box_margin: float = 20,
    pcutoff: float = 0.6,
    chunk: int = 16,
) -> Evaluation:
    """Predict labelled images and compare.

    Args:
        estimator: What predicts.
        records: Labelled images.
        boxes: For a top-down model, whether it gets the boxes of its detector or the true ones.
        box_margin: Pixels around the keypoints of records without boxes.
        pcutoff: Score from which a keypoint counts in `rmse_pcutoff`.
        chunk: Images worked on at once.

    Returns:
        Metrics of the poses (`dlcore.engine.metrics`), and `individuals_found` and
        `images_with_all_found` in percent: individuals whose box overlaps that of a pose of their
        own with an IoU of 0.5, and images of which that is true of all. A box is the detector's
        where one was used, else that of the keypoints. With the detector's boxes also theirs, named
        `detector.mAP@50:95` and so on.
    """
    top_down = isinstance(estimator, TopDownEstimator)

    def images() -> Iterator[InputImage]:
        for record in records:
            given = true_boxes(record, box_margin) if top_down and boxes == "truth" else None
            yield InputImage(read_image(record.image), record_key(record), boxes=given)

    predictions = list(estimator.stream(images(), chunk))
    metrics = evaluate_predictions(_of(predictions), records, pcutoff=pcutoff)
    wanted = [true_boxes(record, box_margin) for record in records]
    wanted = [some[(some[:, 2:] > 0).all(axis=1)] for some in wanted]
    detected = top_down and boxes == "detector"
    if detected:
        found = [_filled(one.boxes, (0, 4)) for one in predictions]
        scores = [_filled(one.box_scores, (0,)) for one in predictions]
        of_boxes = box_metrics(found, scores, wanted)
        metrics |= {f"detector.{name}": value for name, value in of_boxes.items()}
    else:
        found = [_boxes_of(one.poses, box_margin) for one in predictions]
        wanted = [
            _boxes_of(_labelled(truth(record.keypoints, record.size)), box_margin)
            for record in records
        ]
    return Evaluation(list(records), predictions, metrics | _found(found, wanted))


def _of(predictions: Sequence[Prediction]) -> Predictions:
    """The predictions as those of a validation during training."""
    gathered = Predictions(len(predictions))
    for index, one in enumerate(predictions):
        gathered.poses[index] = one.poses
        gathered.unique[index] = None if one.unique is None else one.unique[None]
    return gathered


def _filled(values: Array | None, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape) if values is None else values


def _labelled(keypoints: Array) -> Array:
    """Keypoints (N, K, 3) with NaN where nothing is labelled."""
    return np.where(keypoints[..., 2:] > 0, keypoints, np.nan)


def _boxes_of(poses: Array, margin: float) -> Array:
    """Boxes (M, 4) xywh around the keypoints of the poses that have any."""
    seen = np.asarray(np.isfinite(poses[..., :2]).all(axis=-1))
    places = poses[seen.any(axis=1)][:, :, :2]
    if not len(places):
        return np.zeros((0, 4))
    low, high = np.nanmin(places, axis=1) - margin, np.nanmax(places, axis=1) + margin
    boxes: Array = np.concatenate([low, high - low], axis=1)
    return boxes


def _found(found: Sequence[Array], wanted: Sequence[Array]) -> dict[str, float]:
    """How many of the wanted boxes are found, one by one and image by image, in percent."""
    counts = [
        (_num_matched(boxes, true), len(true))
        for boxes, true in zip(found, wanted, strict=True)
        if len(true)
    ]
    if not counts:
        return {"individuals_found": np.nan, "images_with_all_found": np.nan}
    matched, total = np.array(counts).T
    return {
        "individuals_found": 100 * float(matched.sum() / total.sum()),
        "images_with_all_found": 100 * float((matched == total).mean()),
    }


def _num_matched(found: Array, wanted: Array) -> int:
    """How many wanted boxes have a found one of their own."""
    low = np.maximum(found[:, None, :2], wanted[None, :, :2])
    high = np.minimum((found[:, :2] + found[:, 2:])[:, None], (wanted[:, :2] + wanted[:, 2:])[None])
    shared = (high - low).clip(0).prod(axis=2)
    areas = found[:, 2:].prod(axis=1)[:, None] + wanted[:, 2:].prod(axis=1)[None] - shared
    enough = shared >= FOUND * np.maximum(areas, 1e-9)
    rows, columns = linear_sum_assignment(enough, maximize=True)
    return int(enough[rows, columns].sum())
