"""What a trained model is given.

Legend: N individuals, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask, Record, Sample

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class InputImage:
    """One image to find poses in, and what is known about it already.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        key: What identifies it in a file of rough poses: the parts of its path, or its frame
            number as the only part; empty where nothing does.
        boxes: (N, 4) x, y, width, height in pixels, for a top-down model; None to let a detector
            look.
        conditions: (N, K, 3) x, y, score in pixels, the rough poses for a conditional model; None
            to take those of its own source.
        origin: (x, y) in pixels of the whole image where `pixels` begins, if they are cut out.
            Boxes and conditions that come with the image count from there; what is looked up by
            `key` counts from the corner of the whole image.
    """

    pixels: npt.NDArray[np.uint8]
    key: tuple[str, ...] = ()
    boxes: Floats | None = None
    conditions: Floats | None = None
    origin: tuple[int, int] = (0, 0)


def whole_image(pixels: npt.NDArray[np.uint8], task: PoseTask) -> Sample:
    """A sample of an image without labels."""
    return Sample(
        image=pixels,
        keypoints=np.zeros((0, task.num_keypoints, 3), np.float32),
        unique_keypoints=np.zeros((len(task.unique_keypoints), 3), np.float32),
        boxes=np.zeros((0, 4), np.float32),
        individual_ids=np.zeros(0, np.int64),
        to_network=np.eye(2, 3),
    )


def one_box(
    pixels: npt.NDArray[np.uint8], box: Floats, task: PoseTask, conditions: Floats | None = None
) -> Sample:
    """A sample of one individual in an image, without labels.

    Args:
        pixels: (H, W, 3) of the whole image.
        box: (4,) x, y, width, height.
        task: That of a model which sees one individual at a time.
        conditions: (K, 3) its rough pose.
    """
    sample = whole_image(pixels, task)
    sample.keypoints = np.zeros((1, task.num_keypoints, 3), np.float32)
    sample.boxes = np.asarray(box, np.float32)[None]
    sample.individual_ids = np.zeros(1, np.int64)
    if conditions is not None:
        sample.conditions = np.array(conditions, np.float32)
    return sample


def record_key(record: Record) -> tuple[str, ...]:
    """What identifies the image of a record in a file of rough poses."""
    return record.key or Path(record.image).parts
