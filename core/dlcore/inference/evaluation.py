"""How good a trained model is on labelled images."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dlcore.data.images import read_image
from dlcore.engine.box_metrics import box_metrics
from dlcore.engine.detector_runner import true_boxes
from dlcore.engine.evaluation import truth
from dlcore.engine.keypoint_errors import keypoint_errors
from dlcore.engine.metrics import identity_accuracy, pose_metrics
from dlcore.inference.estimators import PoseEstimator, TopDownEstimator
from dlcore.inference.evaluation_details import Details, IdentitySummary, confusion, summarize
from dlcore.inference.evaluation_options import Counting
from dlcore.inference.found_individuals import boxes_around, individuals_found
from dlcore.inference.images import InputImage, record_key
from dlcore.interfaces import PoseTask, Prediction, Record

Boxes = Literal["detector", "truth"]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """Predictions of labelled images, and how good they are.

    Attributes:
        records: The labelled images.
        predictions: In the same order.
        metrics: By name.
        details: By keypoint and by image.
        counting: What counted.
        seconds: What reading the images and finding the poses took.
    """

    records: list[Record]
    predictions: list[Prediction]
    metrics: dict[str, float]
    details: Details
    counting: Counting
    seconds: float


def evaluate(
    estimator: PoseEstimator[Any],
    records: Sequence[Record],
    *,
    boxes: Boxes = "detector",
    box_margin: float = 20,
    counting: Counting | None = None,
    chunk: int = 16,
) -> Evaluation:
    """Predict labelled images and compare.

    Args:
        estimator: What predicts.
        records: Labelled images.
        boxes: For a top-down model, whether it gets the boxes of its detector or the true ones.
        box_margin: Pixels around the keypoints of records without boxes.
        counting: What counts.
        chunk: Images worked on at once.

    Returns:
        Metrics of the poses (`dlcore.engine.metrics`), those of a task with one individual by
        comparing the best pose with it, however far away; and `individuals_found` and
        `images_with_all_found` in percent: individuals whose box overlaps that of a pose of their
        own with an IoU of 0.5, and images of which that is true of all. A box is the detector's
        where one was used, else that of the keypoints. With the detector's boxes also theirs, named
        `detector.mAP@50:95` and so on. With identities `identity_accuracy`, the percentage of the
        individuals found that are known for who they are, and as fractions
        `id_head_<keypoint>_accuracy`, how often the head names the right individual at a keypoint.
    """
    counting = counting or Counting()
    top_down = isinstance(estimator, TopDownEstimator)

    def images() -> Iterator[InputImage]:
        for record in records:
            given = true_boxes(record, box_margin) if top_down and boxes == "truth" else None
            yield InputImage(read_image(record.image), record_key(record), boxes=given)

    start = time.perf_counter()
    predictions = list(estimator.stream(images(), chunk))
    seconds = time.perf_counter() - start
    metrics, details = compare(predictions, records, estimator.task, counting)
    wanted = [true_boxes(record, box_margin) for record in records]
    wanted = [some[(some[:, 2:] > 0).all(axis=1)] for some in wanted]
    if top_down and boxes == "detector":
        found = [_filled(one.boxes, (0, 4)) for one in predictions]
        scores = [_filled(one.box_scores, (0,)) for one in predictions]
        of_boxes = box_metrics(found, scores, wanted)
        metrics |= {f"detector.{name}": value for name, value in of_boxes.items()}
    else:
        found = [boxes_around(one.poses, box_margin) for one in predictions]
        labels = [truth(record.keypoints, record.size) for record in records]
        wanted = [
            boxes_around(np.where(some[..., 2:] > 0, some, np.nan), box_margin) for some in labels
        ]
    metrics |= individuals_found(found, wanted)
    return Evaluation(list(records), predictions, metrics, details, counting, seconds)


def compare(
    predictions: Sequence[Prediction],
    records: Sequence[Record],
    task: PoseTask,
    counting: Counting,
) -> tuple[dict[str, float], Details]:
    """Metrics and details of predictions that there are already.

    Args:
        predictions: What was found.
        records: The labelled images, in the same order.
        task: The names behind the numbers.
        counting: What counts.
    """
    poses = [one.poses for one in predictions]
    labels = [truth(record.keypoints, record.size) for record in records]
    nothing = np.full((1, len(task.unique_keypoints), 3), np.nan)
    unique = [nothing if one.unique is None else one.unique[None] for one in predictions]
    unique_labels = [truth(record.unique_keypoints[None], record.size) for record in records]
    single = task.num_individuals == 1
    metrics = pose_metrics(
        poses,
        labels,
        unique_predictions=unique,
        unique_truth=unique_labels,
        pcutoff=counting.pcutoff,
        oks_sigma=counting.oks_sigma,
        single_animal=single,
    )
    errors = keypoint_errors(poses, labels, single_animal=single)
    num_keypoints = task.num_keypoints + len(task.unique_keypoints)
    identity: IdentitySummary | None = None
    if len(predictions) and all(one.identity is not None for one in predictions):
        who = [record.individual_ids.tolist() for record in records]
        identity = confusion(errors.rows, who, task.individuals)
        metrics["identity_accuracy"] = identity.accuracy
        metrics |= _accuracies(predictions, labels, who, task)
    details = summarize(
        errors,
        keypoint_errors(unique, unique_labels, single_animal=True),
        names=task.keypoints,
        unique_names=task.unique_keypoints,
        cutoffs=np.broadcast_to(np.asarray(counting.pcutoff, float), (num_keypoints,)).tolist(),
        images=[name_of(record) for record in records],
        identity=identity,
    )
    return metrics, details


def name_of(record: Record) -> str:
    """An image as people know it: by its key, or by its path."""
    return "/".join(record.key) if record.key else str(record.image)


def _accuracies(
    predictions: Sequence[Prediction],
    labels: Sequence[Array],
    who: Sequence[Sequence[int]],
    task: PoseTask,
) -> dict[str, float]:
    """How often the identity head is right at each keypoint, by DeepLabCut's names."""
    placed = []
    for some, individuals in zip(labels, who, strict=True):
        own = np.zeros((task.num_individuals, task.num_keypoints, 3))
        for label, individual in zip(some, individuals, strict=True):
            if individual >= 0:
                own[individual] = label
        placed.append(own)
    scores = [np.nan_to_num(_filled(one.identity, (0,))) for one in predictions]
    accuracies = identity_accuracy([one.poses for one in predictions], placed, scores)
    return {
        f"id_head_{name}_accuracy": float(value)
        for name, value in zip(task.keypoints, accuracies, strict=True)
    }


def _filled(values: Array | None, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape) if values is None else values
