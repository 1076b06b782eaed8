"""How well individuals keep their rows through a video.

Legend: F frames, N rows of predictions, M true individuals, K keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class IdentityScore:
    """How well individuals keep their rows.

    Attributes:
        switches: How often a true individual is found in another row than when it was found last.
        found: True individuals that were found, over all frames.
        share_kept: Of those, the share that is found in the row that is its own in most of the
            video, each row being one's own; NaN where nothing was found. For two individuals that
            are in all frames, 0.5 is chance.
    """

    switches: int
    found: int
    share_kept: float


def identity_switches(
    poses: npt.NDArray[np.floating[Any]],
    truth: npt.NDArray[np.floating[Any]],
    max_distance: float = np.inf,
) -> IdentityScore:
    """Compare tracked poses with true tracks.

    In each frame, poses and true individuals are matched so that the mean distance of their
    keypoints is least; the rows play no part in that.

    Args:
        poses: (F, N, K, 2 or more) x, y, ...; NaN for what was not found.
        truth: (F, M, K, 2 or more), likewise.
        max_distance: Pixels; an individual whose pose is farther away counts as not found.
    """
    rows = np.stack(
        [_rows(some, true, max_distance) for some, true in zip(poses, truth, strict=True)]
    )
    switches = 0
    for column in rows.T:
        seen = column[column >= 0]
        switches += int((np.diff(seen) != 0).sum())
    found = int((rows >= 0).sum())
    counts = np.array([(rows == row).sum(axis=0) for row in range(poses.shape[1])])
    kept = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return IdentityScore(switches, found, float(kept / found) if found else np.nan)


def _rows(
    poses: npt.NDArray[np.floating[Any]],
    truth: npt.NDArray[np.floating[Any]],
    max_distance: float,
) -> npt.NDArray[np.int64]:
    """(M,) the row in which each true individual is found, -1 for none."""
    apart = np.linalg.norm(truth[:, None, :, :2] - poses[None, :, :, :2], axis=3)
    common = np.isfinite(apart)
    distance = np.where(common, apart, 0).sum(axis=2) / np.maximum(common.sum(axis=2), 1)
    distance = np.where(common.any(axis=2), distance, np.inf)
    possible = distance <= min(max_distance, np.finfo(np.float64).max)
    large = 1 + np.where(possible, distance, 0).sum()
    rows = np.full(len(truth), -1, np.int64)
    for individual, row in zip(
        *linear_sum_assignment(np.where(possible, distance, large)), strict=True
    ):
        if possible[individual, row]:
            rows[individual] = row
    return rows
