"""How many of the labelled individuals are found at all, by boxes that overlap.

Legend: N individuals, M boxes, K keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

Array = npt.NDArray[np.float64]

FOUND = 0.5
"""An individual counts as found from this overlap (IoU) of its box with a predicted one."""


def individuals_found(found: Sequence[Array], wanted: Sequence[Array]) -> dict[str, float]:
    """How many of the wanted boxes are found, one by one and image by image, in percent.

    Args:
        found: For each image (M, 4) x, y, width, height.
        wanted: Likewise (N, 4).

    Returns:
        `individuals_found` and `images_with_all_found`; NaN where nothing is wanted.
    """
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


def boxes_around(poses: Array, margin: float) -> Array:
    """Boxes (M, 4) x, y, width, height around the keypoints of the poses that have any.

    Args:
        poses: (N, K, 2 or more) x, y, ...; NaN for what is missing.
        margin: Pixels added on each side.
    """
    seen = np.asarray(np.isfinite(poses[..., :2]).all(axis=-1))
    places = poses[seen.any(axis=1)][:, :, :2]
    if not len(places):
        return np.zeros((0, 4))
    low, high = np.nanmin(places, axis=1) - margin, np.nanmax(places, axis=1) + margin
    boxes: Array = np.concatenate([low, high - low], axis=1)
    return boxes


def _num_matched(found: Array, wanted: Array) -> int:
    """How many wanted boxes have a found one of their own."""
    low = np.maximum(found[:, None, :2], wanted[None, :, :2])
    high = np.minimum((found[:, :2] + found[:, 2:])[:, None], (wanted[:, :2] + wanted[:, 2:])[None])
    shared = (high - low).clip(0).prod(axis=2)
    areas = found[:, 2:].prod(axis=1)[:, None] + wanted[:, 2:].prod(axis=1)[None] - shared
    enough = shared >= FOUND * np.maximum(areas, 1e-9)
    rows, columns = linear_sum_assignment(enough, maximize=True)
    return int(enough[rows, columns].sum())
