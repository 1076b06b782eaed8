"""Top-down data: one sample per individual, cut out of its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.data.images import image_size
from dlcore.data.samples import boxes_from_keypoints, clip_boxes, settle_visibility
from dlcore.interfaces.geometry import (
    compose,
    invert,
    scaling,
    transform_points,
    translation,
)
from dlcore.interfaces.transform import GeometricTransform, Warp
from dlcore.interfaces.types import LABELLED, PoseTask, Record, Sample

Array = npt.NDArray[np.float64]


def one_by_one(records: Sequence[Record], margin: float) -> list[Record]:
    """A record for each individual that has a labelled keypoint and a box with an area.

    What counts is the area inside the image; the boxes themselves stay as they are.

    Args:
        records: Of whole images.
        margin: Pixels added around the keypoints where a record has no boxes.
    """
    found = []
    for record in records:
        size = record.size or image_size(record.image)
        keypoints = settle_visibility(record.keypoints, size)
        boxes = record.boxes
        if boxes is None:
            boxes = boxes_from_keypoints(keypoints, size, margin)
        seen = clip_boxes(boxes, size)
        for row in range(len(keypoints)):
            labelled = (keypoints[row, :, 2] > LABELLED).any()
            if labelled and (seen[row, 2:] > 0).all():
                found.append(
                    replace(
                        record,
                        size=size,
                        keypoints=record.keypoints[row : row + 1],
                        unique_keypoints=record.unique_keypoints[:0],
                        individual_ids=np.zeros(1, np.int64),
                        boxes=boxes[row : row + 1],
                        neighbours=np.delete(keypoints, row, axis=0),
                    )
                )
    return found


def one_individual(task: PoseTask) -> PoseTask:
    """The task of a pose model that sees one individual at a time."""
    return replace(task, individuals=task.individuals[:1], unique_keypoints=())


class TopDownCrop(GeometricTransform):
    """Cuts the box of the only individual out, with what is around it, and brings it to one size.

    It joins the other geometric transforms: however many there are, the image is interpolated once,
    and only the pixels of the crop are made. The box is enlarged to the shape of the crop; what
    lies outside the image is black.

    Args:
        size: (width, height) of the crop.
        margin: Pixels added on each side of the box.
    """

    order = 65.0

    def __init__(self, size: tuple[int, int], *, margin: float = 0) -> None:
        self.size = size
        self.margin = margin

    def warp(self, sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Warp:
        """The map from the image to the crop; all black where the box has no area."""
        width, height = self.size
        if not (sample.boxes[0, 2:] > 0).all():
            return Warp(translation(-2.0 * (size[0] + width), 0), self.size)
        corner, sides = self._frame(_as_written(sample.boxes[0]))
        scale = scaling(width / sides[0], height / sides[1])
        return Warp(compose(scale, translation(-corner[0], -corner[1])), self.size)

    def _frame(self, box: Array) -> tuple[Array, Array]:
        """Corner and sides of what is cut out, in whole pixels of the image."""
        sides = box[2:] + 2 * self.margin
        shape = self.size[0] / self.size[1]
        sides = np.array([max(sides[0], sides[1] * shape), max(sides[1], sides[0] / shape)])
        return _whole_pixels(box[:2] + box[2:] / 2, sides)


class BareCrop(TopDownCrop):
    """Cuts the box out and nothing else: in the crop, what is beyond the box is black."""

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The sample of the crop."""
        box = _as_written(sample.boxes[0])
        before = sample.to_network
        sample = super().__call__(sample, rng)
        corner, sides = _whole_pixels(box[:2] + box[2:] / 2, box[2:] + 2 * self.margin)
        to_crop = compose(sample.to_network, invert(before))
        ends = transform_points(np.stack([corner, corner + sides]), to_crop)
        (left, top), (right, bottom) = np.round(ends).astype(int).clip(0).tolist()
        image = np.zeros_like(sample.image)
        image[top:bottom, left:right] = sample.image[top:bottom, left:right]
        sample.image = image
        return sample


def _as_written(box: npt.NDArray[np.floating[Any]]) -> Array:
    """A box in double precision, freed of what float32 adds to decimal numbers.

    Half pixels are common where labels have one or two decimals, and which way they are rounded
    must not depend on that: it moves the crop by a pixel.
    """
    written: Array = box.astype(np.float64).round(4)
    return written


def _whole_pixels(centre: Array, sides: Array) -> tuple[Array, Array]:
    corner = np.round(centre - sides / 2)
    return corner, np.maximum(np.round(centre + sides / 2) - corner, 1)
