"""Pictures of the images in which labels and predictions differ most, and of usual ones."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlcore.data.images import read_image
from dlcore.engine.evaluation import truth
from dlcore.inference.evaluation import Evaluation
from dlcore.inference.evaluation_details import ImageSummary, plain
from dlcore.inference.evaluation_drawing import Group, Scene
from dlcore.interfaces import PoseTask

Kind = Literal["worst", "typical", "best"]

_PICTURE = re.compile(r"(worst|typical|best)_\d+\.jpg")


@dataclass(frozen=True)
class EvaluationPicture:
    """A picture on disk.

    Attributes:
        path: The file.
        kind: Why this image was chosen.
        image: Which one.
        rmse: Its mean error in pixels.
    """

    path: Path
    kind: Kind
    image: str
    rmse: float

    def as_plain(self, folder: Path) -> dict[str, Any]:
        """For JSON: the path as seen from a folder, None for NaN."""
        return {
            "file": self.path.relative_to(folder).as_posix(),
            "kind": self.kind,
            "image": self.image,
            "rmse": plain(self.rmse),
        }


def draw_pictures(
    evaluation: Evaluation, task: PoseTask, folder: Path, number: int
) -> list[EvaluationPicture]:
    """Draw the worst images, typical ones, and from six on the best; earlier pictures go.

    Args:
        evaluation: What was found, and how far off it is.
        task: The names behind the numbers.
        folder: Where the pictures go; made if there are any.
        number: How many at most.
    """
    if folder.is_dir():
        for old in folder.iterdir():
            if _PICTURE.fullmatch(old.name):
                old.unlink()
    chosen = choose(evaluation.details.per_image, number)
    if not chosen:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    counts: dict[Kind, int] = {"worst": 0, "typical": 0, "best": 0}
    for index, kind in chosen:
        counts[kind] += 1
        path = folder / f"{kind}_{counts[kind]}.jpg"
        summary = evaluation.details.per_image[index]
        _scene(evaluation, task, index).draw(path)
        pictures.append(EvaluationPicture(path, kind, summary.image, summary.rmse))
    return pictures


def choose(images: Sequence[ImageSummary], number: int) -> list[tuple[int, Kind]]:
    """Which images to draw, and why: half of them the worst.

    The worst are those in which most individuals were missed, and of these those with the largest
    mean error. The typical ones lie in the middle of that order.

    Args:
        images: All of them; those without labels are never chosen.
        number: How many at most.
    """

    def badness(index: int) -> tuple[int, float]:
        one = images[index]
        return one.missed, math.inf if math.isnan(one.rmse) else one.rmse

    order = sorted((i for i, one in enumerate(images) if one.labelled), key=badness, reverse=True)
    number = min(number, len(order))
    num_worst, num_best = (number + 1) // 2, number // 6
    num_typical = number - num_worst - num_best
    rest = order[num_worst : len(order) - num_best]
    start = max(0, min(len(order) // 2 - num_worst - num_typical // 2, len(rest) - num_typical))
    chosen: list[tuple[int, Kind]] = [(index, "worst") for index in order[:num_worst]]
    chosen += [(index, "typical") for index in rest[start : start + num_typical]]
    chosen += [(index, "best") for index in reversed(order[len(order) - num_best :])]
    return chosen


def _scene(evaluation: Evaluation, task: PoseTask, index: int) -> Scene:
    record, prediction = evaluation.records[index], evaluation.predictions[index]
    summary, num = evaluation.details.per_image[index], task.num_keypoints
    count = num + len(task.unique_keypoints)
    cutoffs = np.broadcast_to(np.asarray(evaluation.counting.pcutoff, np.float64), (count,))
    labels = truth(record.keypoints, record.size)
    individuals = Group(
        task.keypoints,
        labels,
        prediction.poses,
        cutoffs[:num],
        rows=summary.rows[: len(labels)],
        missing=summary.missing,
        skeleton=task.skeleton,
    )
    nothing = np.full((len(task.unique_keypoints), 3), np.nan)
    unique = nothing if prediction.unique is None else prediction.unique
    once = Group(
        task.unique_keypoints,
        truth(record.unique_keypoints, record.size)[None],
        unique[None],
        cutoffs[num:],
        rows=[0],
    )
    error = "nothing found" if math.isnan(summary.rmse) else f"mean error {summary.rmse:.1f} pixels"
    missed = f", {summary.missed} missed" if summary.missed else ""
    name = summary.image if len(summary.image) <= 60 else f"...{summary.image[-57:]}"
    return Scene(read_image(record.image), (individuals, once), name, f"{error}{missed}")
