"""Rough poses made from true ones, with the errors that pose estimators make.

Legend: N individuals, K keypoints, S places near which a keypoint may land, C candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.interfaces import PoseTask

Array = npt.NDArray[np.floating[Any]]
Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

JITTER, SWAP, INVERSION, MISS, GOOD = range(5)
"""A little off; on another animal; on the counterpart; far off; about right."""

OKS_LEVELS = (0.85, 0.5, 0.1)
OWN, COUNTERPART, NEIGHBOURS = 0, 1, 2
"""Places near which a keypoint may land; from NEIGHBOURS on, two for each neighbour."""

CANDIDATES = 100
VISIBLE = 2.0
ROUNDING = 1e-6


class GenerativeSampler:
    """Draws rough poses around true ones, to train a model that corrects them.

    For every labelled keypoint one kind of error is drawn, and then a place near the keypoint or
    near one that it could be confused with: its counterpart in a symmetric pair, and both of these
    in animals whose keypoints reach into its box. Distances follow from levels of object keypoint
    similarity (OKS) for the area of its box. A place that is nearer to another of these points than
    to its own is never taken. An error that cannot happen leaves its share to the others.

    Args:
        task: The names of the keypoints.
        keypoint_sigmas: Sigma of each keypoint in the OKS, or one for all.
        keypoints_symmetry: Pairs of keypoints, by index or name, that may be confused. By default
            those of the dataset; where it has none, random pairs in each pose.
        jitter_prob: How often a keypoint is moved a little (OKS 0.85 to 0.5).
        swap_prob: How often it is put near that of another animal (OKS above 0.5).
        inv_prob: How often it is put near its counterpart (OKS above 0.5).
        miss_prob: How often it is put far off (OKS 0.5 to 0.1).

    Raises:
        ValueError: If an option is wrong.
    """

    def __init__(
        self,
        task: PoseTask,
        *,
        keypoint_sigmas: float | Sequence[float] = 0.1,
        keypoints_symmetry: Sequence[Sequence[int | str]] | None = None,
        jitter_prob: float = 0.16,
        swap_prob: float = 0.08,
        inv_prob: float = 0.03,
        miss_prob: float = 0.10,
    ) -> None:
        errors = [jitter_prob, swap_prob, inv_prob, miss_prob]
        if min(errors) < 0 or sum(errors) > 1 + ROUNDING:
            raise ValueError(
                f"jitter_prob, swap_prob, inv_prob and miss_prob must not be negative and must add "
                f"up to at most 1, got {errors}"
            )
        self._probabilities = np.array([*errors, max(0.0, 1 - sum(errors))])
        sigmas = _sigmas(keypoint_sigmas, task.num_keypoints)
        self._reach = oks_distance(1.0, sigmas[:, None], np.array(OKS_LEVELS))
        given = task.symmetries if keypoints_symmetry is None else keypoints_symmetry
        self._pairs = [_pair(pair, task) for pair in given]
        self._random_pairs = keypoints_symmetry is None and not task.symmetries
        self._num_keypoints = task.num_keypoints

    def __call__(
        self,
        keypoints: Array,
        index: int,
        image_size: tuple[int, int],
        rng: np.random.Generator,
        *,
        box: Array | None = None,
    ) -> npt.NDArray[np.float32]:
        """Draw a rough pose of one individual.

        Args:
            keypoints: (N, K, 3) x, y, visibility of all individuals, in pixels.
            index: Which of them.
            image_size: (width, height) in pixels.
            rng: The only source of randomness.
            box: Its (x, y, width, height); by default what its keypoints span.

        Returns:
            (K, 3) x, y, 2 within the image; zeros for keypoints that are not labelled.
        """
        points = np.asarray(keypoints, dtype=np.float64)
        labelled = (points[:, :, 2] > 0) & np.isfinite(points[:, :, :2]).all(axis=2)
        conditions = np.zeros((self._num_keypoints, 3), np.float32)
        present = labelled[index]
        if not present.any():
            return conditions
        around = _span(points[index, present, :2]) if box is None else _corners(box)
        near = [
            other
            for other in range(len(points))
            if other != index
            and labelled[other].any()
            and _overlap(around, _span(points[other, labelled[other], :2]))
        ]
        partners = self._partners(rng)
        rows = [index, *near]
        # the keypoint itself, its counterpart, and both in each neighbour
        sources = np.concatenate(
            [np.stack([points[row, :, :2], points[row, partners, :2]], axis=1) for row in rows],
            axis=1,
        )
        alone = partners == np.arange(self._num_keypoints)
        valid = np.concatenate(
            [np.stack([labelled[row], labelled[row, partners] & ~alone], axis=1) for row in rows],
            axis=1,
        )
        width, height = np.maximum(around[1] - around[0], 1)
        reach = self._reach * np.sqrt(width * height)
        places = self._draw(np.nan_to_num(sources), valid, present, reach, rng)
        conditions[present, :2] = np.clip(places[present], 0, image_size)
        conditions[present, 2] = VISIBLE
        return conditions

    def _partners(self, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        """(K,) the counterpart of each keypoint; itself where there is none."""
        partners = np.arange(self._num_keypoints)
        if self._random_pairs:
            shuffled = rng.permutation(self._num_keypoints)
            half = self._num_keypoints // 2
            pairs = np.stack([shuffled[:half], shuffled[half : 2 * half]], axis=1)
        else:
            pairs = np.array(self._pairs, dtype=np.intp).reshape(-1, 2)
        partners[pairs] = pairs[:, ::-1]
        return partners

    def _draw(
        self,
        sources: Numbers,
        valid: Mask,
        present: Mask,
        reach: Numbers,
        rng: np.random.Generator,
    ) -> Numbers:
        """(K, 2) new places. `sources`: (K, S, 2), `valid`: (K, S), `reach`: (K, levels)."""
        places: Numbers = sources[:, OWN].copy()
        allowed = _allowed(sources.shape[1])
        possible: Mask = np.any(valid[:, None] & allowed, axis=2)
        waiting = np.flatnonzero(present)
        while len(waiting):
            weights = self._probabilities * possible[waiting]
            waiting, weights = waiting[weights.any(axis=1)], weights[weights.any(axis=1)]
            bounds = weights.cumsum(axis=1)
            lots = rng.random((len(waiting), 1)) * bounds[:, -1:]
            kinds = np.minimum((lots >= bounds).sum(axis=1), GOOD)
            found, drawn = _candidates(
                kinds,
                sources[waiting],
                valid[waiting],
                valid[waiting] & allowed[kinds],
                reach[waiting],
                rng,
            )
            places[waiting[found]] = drawn[found]
            waiting, kinds = waiting[~found], kinds[~found]
            possible[waiting, kinds] = False
        return places


def oks_distance(area: float, sigma: Numbers, level: Numbers) -> Numbers:
    """How far off a keypoint is, in pixels, at a level of object keypoint similarity.

    Args:
        area: Of the animal's box, in square pixels.
        sigma: Of the keypoint.
        level: The similarity, above 0 and at most 1.
    """
    distance: Numbers = np.sqrt(-2 * area * (2 * sigma) ** 2 * np.log(level))
    return distance


def _candidates(
    kinds: npt.NDArray[np.intp],
    sources: Numbers,
    valid: Mask,
    wanted: Mask,
    reach: Numbers,
    rng: np.random.Generator,
) -> tuple[Mask, Numbers]:
    """Whether there is a place for each error, and one (K, 2).

    Args:
        kinds: (K,).
        sources: (K, S, 2).
        valid: (K, S) which of them there are.
        wanted: (K, S) near which of them to look.
        reach: (K, levels) distances in pixels.
        rng: The only source of randomness.
    """
    near, middle, far = reach.T
    lowest = np.select([kinds == JITTER, kinds == MISS], [near, middle], 0.0)
    highest = np.select([kinds == GOOD, kinds == MISS], [near, far], middle)
    count = (len(kinds), CANDIDATES)
    lots = np.where(wanted[:, None], rng.random((*count, sources.shape[1])), -1.0)
    chosen = lots.argmax(axis=2)
    radius = lowest[:, None] + (highest - lowest)[:, None] * rng.random(count)
    angle = 2 * np.pi * rng.random(count)
    centre = np.take_along_axis(sources, chosen[:, :, None], axis=1)
    points = centre + radius[:, :, None] * np.stack([np.cos(angle), np.sin(angle)], axis=2)
    away = np.linalg.norm(points[:, :, None] - sources[:, None], axis=3)
    limit = np.where((kinds == MISS)[:, None], middle[:, None], radius)
    others = valid[:, None] & (np.arange(sources.shape[1]) != chosen[:, :, None])
    taken = ~(others & (away < limit[:, :, None] - ROUNDING)).any(axis=2)
    first = taken.argmax(axis=1)
    return taken.any(axis=1), points[np.arange(len(kinds)), first]


def _allowed(count: int) -> Mask:
    """(kinds, S) near which sources each kind of error puts a keypoint."""
    allowed = np.zeros((5, count), bool)
    allowed[[JITTER, GOOD], OWN] = True
    allowed[INVERSION, COUNTERPART] = True
    allowed[SWAP, NEIGHBOURS:] = True
    allowed[MISS] = True
    return allowed


def _sigmas(given: float | Sequence[float], count: int) -> Numbers:
    values = [float(given)] * count if isinstance(given, int | float) else list(given)
    if len(values) != count:
        raise ValueError(
            f"keypoint_sigmas must be one number, or one for each of the {count} keypoints; "
            f"got {len(values)}"
        )
    if min(values, default=1.0) <= 0:
        raise ValueError(f"keypoint_sigmas must be above 0, got {given}")
    return np.array(values)


def _pair(pair: Sequence[int | str], task: PoseTask) -> tuple[int, int]:
    indices = [
        task.keypoints.index(one) if isinstance(one, str) and one in task.keypoints else one
        for one in pair
    ]
    known = [i for i in indices if isinstance(i, int) and 0 <= i < task.num_keypoints]
    if len(known) != 2 or len(indices) != 2 or known[0] == known[1]:
        raise ValueError(
            f"keypoints_symmetry must be pairs of different keypoints, by name or by index from 0 "
            f"to {task.num_keypoints - 1}; got {list(pair)}"
        )
    return known[0], known[1]


def _span(points: Numbers) -> Numbers:
    """((left, top), (right, bottom)) of points (K, 2)."""
    return np.stack([points.min(axis=0), points.max(axis=0)])


def _corners(box: Array) -> Numbers:
    """The same of a box (x, y, width, height)."""
    x, y, width, height = np.asarray(box, np.float64)
    return np.array([[x, y], [x + width, y + height]])


def _overlap(a: Numbers, b: Numbers) -> bool:
    return bool((a[0] <= b[1]).all() and (b[0] <= a[1]).all())
