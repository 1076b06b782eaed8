"""How large errors are, keypoint by keypoint and image by image. Needs no torch.

Legend: M labelled keypoints, I images, G true individuals, K keypoints, U unique keypoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.engine.keypoint_errors import KeypointErrors

Floats = npt.NDArray[np.float64]

PCK_FRACTIONS = (0.05, 0.1, 0.2)
"""Of the size of an animal, the distances within which a keypoint counts as correct."""

_PERCENTILES = {"median": 50, "p75": 75, "p90": 90, "p95": 95}


@dataclass(frozen=True)
class KeypointSummary:
    """The errors of one keypoint, or of all together.

    Attributes:
        name: Of the keypoint; empty for all together.
        unique: Whether it exists once per image.
        labelled: How many labels there are.
        predicted: For how many of them there is a prediction.
        rmse: Mean distance in pixels, by DeepLabCut's name.
        rmse_pcutoff: The same of predictions with at least the score that counts.
        median: Pixels within which half of the predictions lie.
        p75: Likewise 75 percent.
        p90: Likewise 90 percent.
        p95: Likewise 95 percent.
        coverage: Percent of the labels that have a prediction with at least the score that counts.
        pck: Percent of the labels with a prediction within a fraction of the animal's size, by that
            fraction. Unique keypoints belong to no animal and have none.
    """

    name: str
    unique: bool
    labelled: int
    predicted: int
    rmse: float
    rmse_pcutoff: float
    median: float
    p75: float
    p90: float
    p95: float
    coverage: float
    pck: Mapping[str, float]

    def as_plain(self) -> dict[str, Any]:
        """For JSON: None for NaN."""
        return {
            **{key: plain(value) for key, value in vars(self).items() if key != "pck"},
            "pck": {key: plain(value) for key, value in self.pck.items()},
        }


@dataclass(frozen=True)
class ImageSummary:
    """The errors in one image.

    Attributes:
        image: Which one.
        labelled: How many keypoints are labelled in it.
        rmse: Mean distance in pixels; NaN where nothing was predicted for a label.
        rmse_pcutoff: The same of predictions with at least the score that counts.
        missed: How many labelled individuals have no pose.
        rows: For each labelled individual the row of its pose, -1 for none.
        missing: Which labelled individuals are the missed ones.
    """

    image: str
    labelled: int
    rmse: float
    rmse_pcutoff: float
    missed: int
    rows: Sequence[int] = ()
    missing: Sequence[int] = ()

    def as_plain(self) -> dict[str, Any]:
        """For JSON: None for NaN."""
        return {
            "image": self.image,
            "rmse": plain(self.rmse),
            "rmse_pcutoff": plain(self.rmse_pcutoff),
            "missed": self.missed,
        }


@dataclass(frozen=True)
class IdentitySummary:
    """Whom a model that tells identities takes whom for.

    Attributes:
        names: Of the individuals.
        confusion: How often (row) a labelled individual was found as (column).
    """

    names: Sequence[str]
    confusion: Sequence[Sequence[int]]

    @property
    def accuracy(self) -> float:
        """Percent of the individuals found that were found as who they are."""
        counts = np.array(self.confusion)
        return 100 * float(np.trace(counts) / counts.sum()) if counts.sum() else math.nan


@dataclass(frozen=True)
class Details:
    """Errors by keypoint, by image, and of identities.

    Attributes:
        keypoints: Those of individuals, then the unique ones.
        pooled: All of them together.
        per_image: In the order of the records.
        identity: None for a model that does not tell identities.
    """

    keypoints: Sequence[KeypointSummary]
    pooled: KeypointSummary
    per_image: Sequence[ImageSummary]
    identity: IdentitySummary | None = None


@dataclass
class _Flat:
    """Errors of keypoints in a row, (M,) each."""

    distances: list[Floats] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)
    sizes: list[Floats] = field(default_factory=list)
    cutoffs: list[Floats] = field(default_factory=list)

    def add(self, errors: KeypointErrors, keypoint: int, cutoff: float, *, unique: bool) -> None:
        """The errors of one keypoint."""
        some = errors.labelled[:, :, keypoint]
        self.distances.append(errors.distances[:, :, keypoint][some])
        self.scores.append(errors.scores[:, :, keypoint][some])
        self.sizes.append(np.full(some.sum(), np.nan) if unique else errors.sizes[some])
        self.cutoffs.append(np.full(some.sum(), cutoff))

    def summary(self, name: str, *, unique: bool) -> KeypointSummary:
        """Of all that were added."""
        empty = [np.zeros(0)]
        distances = np.concatenate(empty + self.distances)
        scores = np.concatenate(empty + self.scores)
        sizes = np.concatenate(empty + self.sizes)
        there = np.isfinite(distances)
        certain = there & (scores >= np.concatenate(empty + self.cutoffs))
        sized = np.isfinite(sizes)
        near = np.where(there & sized, distances, np.inf) / np.where(sized, sizes, 1)
        percentiles = {
            key: float(np.percentile(distances[there], percent)) if there.any() else math.nan
            for key, percent in _PERCENTILES.items()
        }
        return KeypointSummary(
            name=name,
            unique=unique,
            labelled=len(distances),
            predicted=int(there.sum()),
            rmse=_mean(distances[there]),
            rmse_pcutoff=_mean(distances[certain]),
            coverage=100 * _mean(certain),
            pck={str(part): 100 * _mean(near[sized] <= part) for part in PCK_FRACTIONS},
            **percentiles,
        )


def summarize(
    poses: KeypointErrors,
    unique: KeypointErrors,
    *,
    names: Sequence[str],
    unique_names: Sequence[str],
    cutoffs: Sequence[float],
    images: Sequence[str],
    identity: IdentitySummary | None = None,
) -> Details:
    """The errors in numbers that people compare.

    Args:
        poses: Of the keypoints of individuals.
        unique: Of unique keypoints; of none if there are none.
        names: (K) of the former.
        unique_names: (U) of the latter.
        cutoffs: (K + U) the score that counts, for each keypoint and then each unique one.
        images: (I) names.
        identity: Whom the model takes whom for.
    """
    keypoints, pooled = [], _Flat()
    known = [(poses, names, False), (unique, unique_names, True)]
    columns = [(e, k, name, once) for e, some, once in known for k, name in enumerate(some)]
    for (errors, keypoint, name, once), cutoff in zip(columns, cutoffs, strict=True):
        one = _Flat()
        for flat in (one, pooled):
            flat.add(errors, keypoint, cutoff, unique=once)
        keypoints.append(one.summary(name, unique=once))
    split = np.split(np.asarray(cutoffs, np.float64), [len(names)])
    groups = list(zip((poses, unique), split, strict=True))[: 2 if unique_names else 1]
    per_image = [_of_image(image, index, groups, poses) for index, image in enumerate(images)]
    return Details(keypoints, pooled.summary("", unique=False), per_image, identity)


def _of_image(
    name: str, index: int, groups: Sequence[tuple[KeypointErrors, Floats]], poses: KeypointErrors
) -> ImageSummary:
    distances = [errors.distances[index].ravel() for errors, _ in groups]
    certain = [(errors.scores[index] >= cutoffs).ravel() for errors, cutoffs in groups]
    found, counted = np.concatenate(distances), np.concatenate(certain)
    return ImageSummary(
        image=name,
        labelled=int(sum(errors.labelled[index].sum() for errors, _ in groups)),
        rmse=_mean(found[np.isfinite(found)]),
        rmse_pcutoff=_mean(found[np.isfinite(found) & counted]),
        missed=int(poses.missed[index].sum()),
        rows=poses.rows[index].tolist(),
        missing=np.flatnonzero(poses.missed[index]).tolist(),
    )


def confusion(
    rows: npt.NDArray[np.int64], individuals: Sequence[Sequence[int]], names: Sequence[str]
) -> IdentitySummary:
    """Count who was found as whom, where row i of the poses is individual i.

    Args:
        rows: (I, G) the row of each true individual's pose, -1 for none.
        individuals: For each image, who its true individuals are; below 0 for unknown ones.
        names: Of all individuals.
    """
    counts = np.zeros((len(names), len(names)), np.int64)
    for found, known in zip(rows, individuals, strict=True):
        for row, individual in zip(found, known, strict=False):
            if row >= 0 and individual >= 0:
                counts[individual, row] += 1
    return IdentitySummary(list(names), counts.tolist())


def plain(value: Any) -> Any:
    """A number for JSON: None for NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else math.nan
