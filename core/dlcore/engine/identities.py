"""Who is who: poses in the order of the individuals' names, by the maps of an identity head.

Legend: B images, N poses of an image, K keypoints, I individuals, H W pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float64]


def identity_scores(poses: Tensor, maps: Tensor) -> Tensor:
    """What the maps say at each keypoint: (B, N, K, I), 0 where there is no keypoint.

    Args:
        poses: (B, N, K, 3 or more) x, y, score in pixels of the network's input. Missing keypoints
            are NaN; missing individuals have scores below 0.
        maps: (B, H, W, I), as a predictor of identity gives them. Row and column of a keypoint are
            y and x, rounded; those outside are read at the edge.
    """
    found = poses[..., :3].isfinite().all(dim=-1) & (poses[..., 2] >= 0)
    places = poses[..., :2].where(found.unsqueeze(-1), 0).round().long()
    columns = places[..., 0].clamp(0, maps.shape[2] - 1)
    rows = places[..., 1].clamp(0, maps.shape[1] - 1)
    images = torch.arange(len(maps), device=maps.device)[:, None, None]
    return maps[images, rows, columns].where(found.unsqueeze(-1), 0)


def by_identity(poses: Array, scores: Array) -> Array:
    """The poses of one image as (I, K, 3 or more): each individual's own, NaN where there is none.

    Poses are given to individuals so that the sum of keypoint score times identity score is the
    greatest; with more poses than individuals, some are left out.

    Args:
        poses: (N, K, 3 or more) x, y, score, as for `identity_scores`.
        scores: (N, K, I), what that gives.
    """
    from scipy.optimize import linear_sum_assignment  # half a second, for the few who need it

    confidence = np.nan_to_num(poses[..., 2]).clip(0)
    gain = (confidence[..., None] * scores).mean(axis=1)
    rows, individuals = linear_sum_assignment(gain, maximize=True)
    ordered: Array = np.full((scores.shape[2], *poses.shape[1:]), np.nan)
    ordered[individuals] = poses[rows]
    return ordered
