"""From what was found to a row for each individual.

Legend: N found, K keypoints.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask, Prediction, Tracker


def shifted(prediction: Prediction, origin: tuple[int, int]) -> Prediction:
    """What was found in a part of an image, in pixels of the whole.

    Args:
        prediction: In pixels of the part.
        origin: (x, y) where the part begins.
    """
    if origin == (0, 0):
        return prediction
    moved = Prediction(
        prediction.poses.copy(),
        None if prediction.unique is None else prediction.unique.copy(),
        None if prediction.boxes is None else prediction.boxes.copy(),
        prediction.box_scores,
        prediction.identity,
    )
    for places in (moved.poses, moved.unique, moved.boxes):
        if places is not None:
            places[..., :2] += origin
    return moved


def nothing(task: PoseTask) -> Prediction:
    """Of a frame that cannot be read."""
    unique = np.full((len(task.unique_keypoints), 3), np.nan) if task.unique_keypoints else None
    return Prediction(np.zeros((0, task.num_keypoints, 3)), unique)


def by_individual(prediction: Prediction, task: PoseTask, tracker: Tracker | None) -> Prediction:
    """A row for each individual of the task, NaN for those that were not found.

    Args:
        prediction: What was found, in any number of rows.
        task: The individuals.
        tracker: Tells who is who; None to keep the order.
    """
    num = task.num_individuals
    found = len(prediction.poses)
    if tracker is None:
        rows = np.where(np.arange(found) < num, np.arange(found), -1)
    else:
        seen = np.asarray(np.isfinite(prediction.poses[..., :2]).all(axis=2))
        some = np.asarray(seen.any(axis=1))
        rows = np.full(found, -1, np.int64)
        rows[some] = tracker.update(prediction.poses[some])

    def placed(values: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64] | None:
        if values is None:
            return None
        filled = np.full((num, *values.shape[1:]), np.nan)
        filled[rows[rows >= 0]] = values[rows >= 0]
        return filled

    poses = placed(prediction.poses)
    assert poses is not None
    return Prediction(
        poses,
        prediction.unique,
        placed(prediction.boxes),
        placed(prediction.box_scores),
        placed(prediction.identity),
    )
