"""The error of each labelled keypoint by itself, from which percentiles, PCK and coverage follow.

Legend: I images, G true individuals, K keypoints; padding is NaN, or False.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dlcore.engine.pose_matching import (
    BoolArray,
    FloatArray,
    IntArray,
    Pairs,
    Poses,
    by_overlap,
    comparable,
    extents,
    first_with_first,
    matched_distances,
    matched_scores,
)


@dataclass(frozen=True)
class KeypointErrors:
    """What became of each labelled keypoint.

    Attributes:
        labelled: (I, G, K) where there is a label.
        distances: (I, G, K) pixels from the label to the prediction; NaN without one of them.
        scores: (I, G, K) of the predictions, likewise.
        sizes: (I, G) the larger side, in pixels, of the box around an individual's labels; NaN
            where that is 0.
        rows: (I, G) the row of the pose that belongs to an individual, -1 for none.
        missed: (I, G) where a labelled individual has no pose. Individuals are left out that no
            pose can be compared with: of one keypoint, or without an area.
    """

    labelled: BoolArray
    distances: FloatArray
    scores: FloatArray
    sizes: FloatArray
    rows: IntArray
    missed: BoolArray


def keypoint_errors(
    predictions: Poses, truth: Poses, *, single_animal: bool = False
) -> KeypointErrors:
    """Compare predicted with true poses, which belong together as in `pose_metrics`.

    Args:
        predictions: For each image (P, K, 3 or more): x, y, score.
        truth: For each image (G, K, 3): x, y, visibility.
        single_animal: Compare the best prediction with the first individual of each image, however
            far apart they are.

    Raises:
        ValueError: If the numbers of images or keypoints do not agree.
    """
    pairs = Pairs.of(predictions, truth)
    if single_animal:
        pairs = replace(pairs, true=pairs.true[:, :1])
    matches = first_with_first(pairs) if single_animal else by_overlap(pairs)
    labelled = np.asarray(np.isfinite(pairs.true).all(axis=3))
    distances = np.full(labelled.shape, np.nan)
    scores = np.full(labelled.shape, np.nan)
    rows = np.full(labelled.shape[:2], -1)
    there = np.isfinite(pairs.predicted[matches.image, matches.prediction, :, 0]).any(axis=1)
    image, individual = matches.image[there], matches.individual[there]
    distances[image, individual] = matched_distances(pairs, matches)[there]
    scores[image, individual] = matched_scores(pairs, matches)[there]
    scores[np.isnan(distances)] = np.nan
    rows[image, individual] = pairs.rows[image, matches.prediction[there]]
    wanted = labelled.any(axis=2) if single_animal else comparable(pairs.true)[0]
    sides = extents(pairs.true).max(axis=2, initial=0)
    return KeypointErrors(
        labelled=labelled,
        distances=distances,
        scores=scores,
        sizes=np.where(sides > 0, sides, np.nan),
        rows=rows,
        missed=wanted & (rows < 0),
    )
