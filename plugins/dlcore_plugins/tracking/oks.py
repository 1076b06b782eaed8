"""A tracker that compares poses with where each individual is expected to be.

Legend: N poses, M individuals, K keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveFloat
from scipy.optimize import linear_sum_assignment

from dlcore.interfaces import PoseTask, Tracker

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Fraction = Annotated[float, Field(ge=0, le=1)]
Inertia = Annotated[float, Field(ge=0, lt=1)]

_NEARER = 1e-3  # how much distance counts where keypoints are too far away to be similar
_NEVER = -10.0


@dataclass
class _Track:
    """One individual.

    Attributes:
        places: (K, 2) its keypoints when it was seen last; those that were missing then are where
            they were before, moved along with the others. NaN for those never seen.
        size: Pixels; the root of the area of its box, smoothed.
        velocity: (2,) pixels per frame of the body.
        ahead: (2,) how far it is expected to have gone since.
        unseen: Frames since then.
    """

    places: Array
    size: float
    velocity: Array = field(default_factory=lambda: np.zeros(2))
    ahead: Array = field(default_factory=lambda: np.zeros(2))
    unseen: int = 0

    @property
    def expected(self) -> Array:
        """(K, 2) where its keypoints should be now."""
        return self.places + self.ahead


class OKSTracker(Tracker):
    """Keeps individuals by the similarity of their keypoints to where they are expected.

    Each individual is expected to go on as it went; the longer it is not seen, the more it is
    expected to slow down and the farther it may have gone. All poses of a frame are assigned at
    once, so that the sum of their similarities (OKS) is greatest. A pose that resembles nobody
    becomes an individual that has not been seen yet or, when all have been, the nearest of those
    that are left, for the number of animals is known.

    Args:
        task: The individuals.
        sigma: How far a keypoint may be from where it is expected, as a fraction of the size of
            the animal: at twice the distance it adds little to the similarity.
        min_similarity: Poses that resemble an individual less are not taken for it at first.
        min_score: Keypoints with a lower score are not looked at, unless a pose has no others.
        inertia: How much of an individual's velocity is kept from frame to frame, below 1.
    """

    def __init__(
        self,
        task: PoseTask,
        *,
        sigma: PositiveFloat = 0.1,
        min_similarity: Fraction = 0.1,
        min_score: Fraction = 0.1,
        inertia: Inertia = 0.6,
    ) -> None:
        self.sigma = sigma
        self.min_similarity = min_similarity
        self.min_score = min_score
        self.inertia = inertia
        self._tracks: list[_Track | None] = [None] * task.num_individuals

    def update(self, poses: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
        """Who was found in the next frame: the row of each pose, -1 for those left out."""
        for track in self._tracks:
            if track is not None:
                track.ahead = track.ahead + track.velocity * self.inertia**track.unseen
                track.unseen += 1
        found: Array = np.asarray(poses, np.float64)
        places = self._looked_at(found)
        rows = np.full(len(found), -1, np.int64)
        usable = np.flatnonzero(np.isfinite(places[..., 0]).any(axis=1))
        if len(usable):
            self._assign_similar(places, usable, rows)
            self._assign_rest(places, found[..., 2], usable, rows)
        for pose in np.flatnonzero(rows >= 0):
            self._see(int(rows[pose]), places[pose])
        return rows

    def _looked_at(self, poses: Array) -> Array:
        """(N, K, 2) the keypoints that count, NaN for the others."""
        seen = np.isfinite(poses[..., :2]).all(axis=2)
        sure = np.asarray(seen & (poses[..., 2] >= self.min_score))
        used = np.where(sure.any(axis=1, keepdims=True), sure, seen)
        looked_at: Array = np.where(used[..., None], poses[..., :2], np.nan)
        return looked_at

    def _assign_similar(self, places: Array, usable: Indices, rows: Indices) -> None:
        """Give the poses that resemble an individual to it."""
        known = [row for row, track in enumerate(self._tracks) if track is not None]
        if not known:
            return
        similar = self._similarities(places[usable], known)
        near = self._nearness(places[usable], known)
        enough: npt.NDArray[np.bool_] = similar >= self.min_similarity
        gain = np.where(enough, similar, _NEVER) + _NEARER * near
        for pose, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if enough[pose, column]:
                rows[usable[pose]] = known[column]

    def _assign_rest(self, places: Array, scores: Array, usable: Indices, rows: Indices) -> None:
        """Give the other poses to individuals that are new, then to the nearest that are left."""
        rest = usable[rows[usable] < 0]
        free = sorted(set(range(len(self._tracks))) - set(rows.tolist()))
        new = [row for row in free if self._tracks[row] is None]
        left = [row for row in free if self._tracks[row] is not None]
        order = np.argsort(-np.nan_to_num(scores[rest]).mean(axis=1), kind="stable")
        best = rest[order][: len(free)]
        if not len(best):
            return
        # A pose that is far from all who were lost is a new one, if there can be one.
        far = np.full((len(best), len(new)), -1.0)
        gain = np.concatenate([far, self._nearness(places[best], left)], axis=1)
        for pose, column in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            rows[best[pose]] = [*new, *left][column]

    def _of(self, rows: Sequence[int]) -> list[_Track]:
        return [track for track in (self._tracks[row] for row in rows) if track is not None]

    def _similarities(self, places: Array, rows: Sequence[int]) -> Array:
        """The OKS (N, rows) of poses with where individuals are expected, 0 to 1."""
        tracks = self._of(rows)
        expected = np.stack([track.expected for track in tracks])
        sizes = np.array([track.size * np.sqrt(track.unseen) for track in tracks])
        squared = ((places[:, None] - expected[None]) ** 2).sum(axis=3)
        both = np.isfinite(squared)
        reach = 2 * (2 * self.sigma * sizes[None, :, None]) ** 2
        terms = np.where(both, np.exp(-np.where(both, squared, 0) / reach), 0)
        similar: Array = terms.sum(axis=2) / np.maximum(both.sum(axis=2), 1)
        return similar

    def _nearness(self, places: Array, rows: Sequence[int]) -> Array:
        """(N, rows): 0 for the same place, -1 for a size away for each frame since it was seen."""
        if not rows:
            return np.zeros((len(places), 0))
        tracks = self._of(rows)
        centres = np.stack([_centre(track.expected) for track in tracks])
        sizes = np.array([track.size * (1 + track.unseen) for track in tracks])
        own = np.stack([_centre(pose) for pose in places])
        nearness: Array = -np.linalg.norm(own[:, None] - centres[None], axis=2) / sizes
        return nearness

    def _see(self, row: int, places: Array) -> None:
        """An individual was found there."""
        track = self._tracks[row]
        if track is None:
            self._tracks[row] = _Track(places, _size(places))
            return
        each = places - track.places
        each = each[np.isfinite(each).all(axis=1)]
        moved = np.median(each, axis=0) if len(each) else _centre(places) - _centre(track.places)
        step = moved / track.unseen
        track.velocity = self.inertia * track.velocity + (1 - self.inertia) * step
        seen = np.isfinite(places).all(axis=1, keepdims=True)
        track.places = np.where(seen, places, track.places + moved)
        track.size = 0.9 * track.size + 0.1 * _size(places)
        track.ahead = np.zeros(2)
        track.unseen = 0


def _centre(places: Array) -> Array:
    centre: Array = places[np.isfinite(places[:, 0])].mean(axis=0)
    return centre


def _size(places: Array) -> float:
    """The root of the area of the box around a pose, and at least half of its longer side."""
    seen = places[np.isfinite(places[:, 0])]
    width, height = np.maximum(seen.max(axis=0) - seen.min(axis=0), 1)
    return max(float(np.sqrt(width * height)), float(max(width, height)) / 2)
