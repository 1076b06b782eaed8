"""Before and after a conditional model predicts: which rough poses it gets, and how sure it is.

Legend: N poses, K keypoints.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Floats = npt.NDArray[np.float32]

LEAST_SCORE = 0.05
CONFIDENT = 0.2


def usable(conditions: Array, image_size: tuple[int, int], margin: float) -> tuple[Floats, Floats]:
    """The rough poses that are worth a crop, and the boxes to crop.

    Left out are those of which no keypoint has a score of 0.05, and those whose box, cut to the
    image, covers less than a square pixel.

    Args:
        conditions: (N, K, 3) x, y, score, in pixels of the image.
        image_size: (width, height) in pixels.
        margin: Pixels added on each side of the keypoints.

    Returns:
        Poses (M, K, 3), and boxes (M, 4) x, y, width, height.
    """
    poses = np.nan_to_num(np.asarray(conditions, np.float32))
    poses = poses[(poses[:, :, 2] >= LEAST_SCORE).any(axis=1)]
    seen = poses[:, :, 2:] > 0
    low = np.where(seen, poses[:, :, :2], np.inf).min(axis=1, initial=np.inf) - margin
    high = np.where(seen, poses[:, :, :2], -np.inf).max(axis=1, initial=-np.inf) + margin
    low, high = np.clip(low, 0, image_size), np.clip(high, 0, image_size)
    boxes = np.concatenate([low, high - low], axis=1).astype(np.float32)
    large = boxes[:, 2] * boxes[:, 3] >= 1
    return poses[large], boxes[large]


def rescore(poses: Array, condition_scores: Array) -> Floats:
    """Scores of poses that take into account how sure the rough poses were.

    All keypoints of a pose get the same score: the mean score of its condition, times the mean of
    its own scores that are at least 0.2.

    Args:
        poses: (N, K, 3) x, y, score.
        condition_scores: (N, K) scores of the rough poses.

    Returns:
        (N, K, 3), a copy.
    """
    rescored = np.array(poses, np.float32)
    scores = np.nan_to_num(rescored[:, :, 2])
    confident = scores >= CONFIDENT
    own = (scores * confident).sum(axis=1) / np.maximum(confident.sum(axis=1), 1)
    rescored[:, :, 2] = (np.nan_to_num(condition_scores).mean(axis=1) * own)[:, None]
    return rescored
