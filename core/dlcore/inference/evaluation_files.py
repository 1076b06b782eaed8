"""What an evaluation leaves: its numbers as JSON, its keypoints as CSV, its pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcore.engine.run_folder import RunFolder, write_text
from dlcore.inference.evaluation import Evaluation
from dlcore.inference.evaluation_details import PCK_FRACTIONS, Details, plain
from dlcore.inference.evaluation_pictures import EvaluationPicture, draw_pictures
from dlcore.interfaces import PoseTask

ALL = "all"
"""The name of the last row of the table, all keypoints together."""

_COLUMNS = (
    *("labelled", "predicted", "rmse", "rmse_pcutoff", "median", "p75", "p90", "p95"),
    "coverage",
)


@dataclass(frozen=True)
class EvaluationFiles:
    """Where the files of an evaluation are.

    Attributes:
        json: All numbers.
        csv: A row for each keypoint.
        pictures: The folder of the pictures.
    """

    json: Path
    csv: Path
    pictures: Path

    @classmethod
    def of(cls, path: Path) -> EvaluationFiles:
        """Those beside the JSON file `path`."""
        return cls(path, path.with_suffix(".csv"), path.with_suffix(""))


def write_files(
    evaluation: Evaluation,
    task: PoseTask,
    files: EvaluationFiles,
    about: Mapping[str, Any],
    num_pictures: int,
) -> dict[str, Any]:
    """Write all files of an evaluation.

    Args:
        evaluation: What was found, and how good it is.
        task: The names behind the numbers.
        files: Where they go.
        about: What was evaluated; stands first in the JSON.
        num_pictures: How many pictures to draw at most.

    Returns:
        The content of the JSON file.

    Raises:
        TrainingError: If a file cannot be written.
    """
    folder = RunFolder(files.json.parent)
    pictures = draw_pictures(evaluation, task, files.pictures, num_pictures)
    values = content(evaluation, about, pictures, files.json.parent)
    folder.write_json(files.json.name, values)
    write_text(files.csv, keypoint_table(evaluation.details))
    return values


def content(
    evaluation: Evaluation,
    about: Mapping[str, Any],
    pictures: Sequence[EvaluationPicture] = (),
    folder: Path = Path(),
) -> dict[str, Any]:
    """An evaluation in plain types: None stands for NaN.

    Args:
        evaluation: What was found, and how good it is.
        about: What was evaluated; stands first.
        pictures: Those drawn.
        folder: What their paths are relative to.
    """
    details, num_images = evaluation.details, len(evaluation.records)
    pooled = details.pooled.as_plain()
    del pooled["name"], pooled["unique"]
    identity = details.identity
    speed = num_images / evaluation.seconds if evaluation.seconds > 0 else None
    return {
        **about,
        "images": num_images,
        "pcutoff": evaluation.counting.pcutoff,
        "oks_sigma": evaluation.counting.oks_sigma,
        "metrics": {name: plain(value) for name, value in evaluation.metrics.items()},
        "keypoints": [keypoint.as_plain() for keypoint in details.keypoints],
        "pooled": pooled,
        "identity": None
        if identity is None
        else {"names": identity.names, "confusion": identity.confusion},
        "per_image": [image.as_plain() for image in details.per_image],
        "pictures": [picture.as_plain(folder) for picture in pictures],
        "seconds": round(evaluation.seconds, 3),
        "images_per_s": None if speed is None else round(speed, 3),
    }


def keypoint_table(details: Details) -> str:
    """A row for each keypoint and one for all together, as CSV; NaN is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"pck_{fraction}" for fraction in PCK_FRACTIONS]
    writer.writerow(["keypoint", "unique", *_COLUMNS, *names])
    for one in (*details.keypoints, details.pooled):
        values = [*(getattr(one, name) for name in _COLUMNS), *one.pck.values()]
        unique = "" if one is details.pooled else str(one.unique).lower()
        writer.writerow([one.name or ALL, unique, *map(_cell, values)])
    return text.getvalue()


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "" if plain(value) is None else f"{value:.4f}"
