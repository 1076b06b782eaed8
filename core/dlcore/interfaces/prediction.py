"""What is found in images, and what those who write it down are told.

Legend: N individuals, K keypoints, U unique keypoints, H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcore.interfaces.types import PoseTask

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(slots=True)
class Prediction:
    """What was found in one image, in its pixels.

    Attributes:
        poses: (N, K, 3) x, y, score; keypoints that were not found are NaN. With identities, row i
            is individual i, and NaN where it was not found; else only found individuals have rows.
        unique: (U, 3) x, y, score, or None for a model without unique keypoints.
        boxes: (N, 4) x, y, width, height of the crops that the poses were found in; None for a
            bottom-up model.
        box_scores: (N,) how sure the detector was; NaN for boxes that it did not find.
        identity: (N, K, individuals) how sure each keypoint is of whom it belongs to; None for a
            model without identities.
    """

    poses: npt.NDArray[np.float64]
    unique: npt.NDArray[np.float64] | None = None
    boxes: npt.NDArray[np.float64] | None = None
    box_scores: npt.NDArray[np.float64] | None = None
    identity: npt.NDArray[np.float64] | None = None


@dataclass(slots=True)
class PredictedFrame:
    """What was found in one frame of a video, or in one of several images.

    Attributes:
        number: The frame's number in the video, from 0; that of the image in its list.
        prediction: In pixels of the whole frame. Its arrays have a row for each individual of the
            task, in that order: NaN where it was not found, and all NaN for a broken frame.
        name: The image as it was named; empty for a frame of a video.
        size: (width, height) in pixels; None for a broken frame.
        pixels: (H, W, 3) uint8, RGB, for writers that ask for them; None for a broken frame.
    """

    number: int
    prediction: Prediction
    name: str = ""
    size: tuple[int, int] | None = None
    pixels: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class PredictionJob:
    """What a writer is told about what it is to write.

    Attributes:
        folder: An empty folder for its files. They are moved to where the user wants them when all
            writers have closed, so that nobody meets half a file.
        source: The video, or the folder of the images.
        kind: Whether that is a video, whose frames are consecutive, or images.
        task: The names behind the numbers.
        config_path: The config that the model was trained with, where it was then.
        config: What is in it, as plain types.
        snapshot: The file of the model's weights.
        detector_snapshot: Likewise; None if no trained detector was used.
        tracker: Name of the tracker that keeps individuals in their rows; None if none did.
        frames_per_second: Of the video, if it says so.
        size: (width, height) of the video in pixels.
        num_frames: How many frames are to be expected; the file may hold fewer.
        num_source_frames: How many the whole source has, as far as it is known.
        first_frame: The number of the first.
        batch_size: Images that went through the network at once.
    """

    folder: Path
    source: Path
    kind: Literal["video", "images"]
    task: PoseTask
    config_path: Path
    snapshot: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    detector_snapshot: Path | None = None
    tracker: str | None = None
    frames_per_second: float | None = None
    size: tuple[int, int] | None = None
    num_frames: int | None = None
    num_source_frames: int | None = None
    first_frame: int = 0
    batch_size: int = 1
