"""The runner for detectors: what a training step and an evaluation are, and boxes of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcore.data.images import image_size
from dlcore.data.samples import boxes_from_keypoints, clip_boxes, settle_visibility
from dlcore.engine.box_metrics import box_metrics
from dlcore.engine.pictures import Boxes, Image, draw_boxes
from dlcore.interfaces import Batch, Detector, Labels, PoseTask, Record, Runner
from dlcore.interfaces.runner import Gather, alone

ANIMAL = 1
"""The label of every individual; detectors keep 0 for the background."""

Array = npt.NDArray[np.float64]


class Detections(NamedTuple):
    """What a detector finds in one image, best first.

    Attributes:
        boxes: (M, 4) x, y, width, height in pixels of the original image.
        scores: (M,) between 0 and 1.
    """

    boxes: Array
    scores: Array


class DetectorTrainingRunner(Runner):
    """Trains and evaluates a `Detector`.

    Args:
        model: What to train.
        task: The names behind the numbers.
        autocast: Gives the context in which the forward pass runs.
        box_margin: Pixels added around the keypoints of records without boxes.
    """

    some_weights_idle = True

    def __init__(
        self,
        model: Detector,
        task: PoseTask,
        autocast: Callable[[], AbstractContextManager[object]],
        *,
        box_margin: float = 20,
    ) -> None:
        self.model: Detector = model
        self.forward: Callable[..., Any] = model
        self.task = task
        self.autocast = autocast
        self.box_margin = box_margin

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The detector's losses of one batch by name, and their sum as `total_loss`."""
        with self.autocast():
            losses, _ = self.forward(batch.images, detection_targets(batch.labels))
        losses = {name: loss.float() for name, loss in losses.items()}
        return losses | {"total_loss": torch.stack(list(losses.values())).sum()}

    @torch.no_grad()
    def evaluate(
        self, batches: Iterable[Batch], records: Sequence[Record], gather: Gather = alone
    ) -> dict[str, float]:
        """Box metrics over all records of the batches.

        `losses/eval.total_loss` is NaN: detectors give no losses in evaluation mode.
        """
        found: dict[int, Detections] = {}
        was_training = self.model.training
        self.model.eval()
        try:
            for batch in batches:
                with self.autocast():
                    detections = detect(self.model, batch)
                found |= zip(batch.indices.tolist(), detections, strict=True)
        finally:
            self.model.train(was_training)
        everywhere = {index: one for part in gather(found) for index, one in part.items()}
        order = sorted(everywhere)
        metrics = box_metrics(
            [everywhere[index].boxes for index in order],
            [everywhere[index].scores for index in order],
            [true_boxes(records[index], self.box_margin) for index in order],
        )
        results = {"losses/eval.total_loss": math.nan}
        return results | {f"metrics/test.{name}": value for name, value in metrics.items()}

    def pictures(self, batch: Batch, image: Image) -> dict[str, Image]:
        """The boxes of one image, true and found."""
        with self.autocast():
            _, detections = self.model(batch.images)
        found = detections[0]
        corners = found["boxes"].cpu().double().numpy()
        boxes = Boxes(
            truth=batch.labels.boxes[0].cpu().double().numpy(),
            found=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
            scores=found["scores"].cpu().double().numpy(),
        )
        return {"boxes": draw_boxes(image, boxes)}


def detection_targets(labels: Labels) -> list[dict[str, Tensor]]:
    """What a detector takes for the truth: for each image `boxes` (N, 4) xyxy and `labels` (N,).

    Padding and boxes without an area are left out, so N may be 0.
    """
    corners = torch.cat([labels.boxes[..., :2], labels.boxes[..., :2] + labels.boxes[..., 2:]], -1)
    kept = (corners[..., 2:] > corners[..., :2]).all(dim=-1)
    return [
        {
            "boxes": boxes[sound],
            "labels": torch.full_like(boxes[sound][:, 0], ANIMAL, dtype=torch.int64),
        }
        for boxes, sound in zip(corners, kept, strict=True)
    ]


@torch.no_grad()
def detect(
    model: Detector, batch: Batch, *, max_detections: int | None = None, min_score: float = 0.0
) -> list[Detections]:
    """Find individuals.

    Args:
        model: In evaluation mode.
        batch: On the device of the model, images normalised.
        max_detections: Keep the best so many of each image, or all.
        min_score: Leave out what has a lower score.

    Returns:
        For each image what was found, best first, in pixels of the original image.
    """
    _, found = model(batch.images)
    matrices = batch.to_network.cpu().numpy()
    results = []
    for one, matrix in zip(found, matrices, strict=True):
        boxes = one["boxes"][:max_detections].double().cpu().numpy()
        scores = one["scores"][:max_detections].double().cpu().numpy()
        kept = scores >= min_score
        results.append(Detections(_to_original(boxes[kept], matrix), scores[kept]))
    return results


def true_boxes(record: Record, margin: float) -> Array:
    """The boxes (N, 4) xywh of a record, cut to the image; zeros where there is nothing to see.

    Args:
        record: Boxes, or keypoints to derive them from.
        margin: Pixels added on each side of the keypoints.
    """
    size = record.size or image_size(record.image)
    if record.boxes is not None:
        boxes = clip_boxes(record.boxes, size)
    else:
        boxes = boxes_from_keypoints(settle_visibility(record.keypoints, size), size, margin)
    return boxes.astype(np.float64)


def _to_original(corners: Array, matrix: Array) -> Array:
    """Boxes (M, 4) xyxy in pixels of the network's input to xywh in pixels of the original image.

    Where the image was turned, the box around the turned box is given.

    Args:
        corners: Left, top, right, bottom.
        matrix: (2, 3), original image to network input.
    """
    places = corners[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # (M, 4 corners, x and y)
    mapped = (places - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    low = mapped.min(axis=1)
    boxes: Array = np.concatenate([low, mapped.max(axis=1) - low], axis=1)
    return boxes
