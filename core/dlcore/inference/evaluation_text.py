"""An evaluation in words and columns, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlcore.inference.evaluation import Evaluation
from dlcore.inference.evaluation_details import PCK_FRACTIONS, KeypointSummary

_NUM_SHOWN = 40
_UNITS = {
    "rmse": "pixels",
    "individuals_found": "%",
    "images_with_all_found": "%",
    "identity_accuracy": "%",
    "mAP": "%",
    "mAR": "%",
}
_HEAD = ("keypoint", "labels", "found", "mean", "mean, sure", "median", "90 %", "coverage")


def metric_rows(evaluation: Evaluation) -> list[list[str]]:
    """Name, unit and value of each metric; accuracies of single keypoints are left to the files."""
    rows = []
    for name, value in evaluation.metrics.items():
        if name.startswith("id_head_"):
            continue
        unit = _UNITS.get(name, "%" if name.startswith("detector.") else "")
        if name == "rmse_pcutoff":
            cutoff = evaluation.counting.pcutoff
            counts = f"at least {cutoff}" if isinstance(cutoff, float) else "at least their cutoff"
            unit = f"pixels, of keypoints with a score of {counts}"
        rows.append([name, _number(value), unit])
    missed = sum(image.missed for image in evaluation.details.per_image)
    rows.append(["missed", str(missed), "labelled individuals without a pose: not in rmse"])
    return rows


def keypoint_rows(evaluation: Evaluation) -> list[list[str]]:
    """A table of the keypoints, the largest mean error first, and all together at the end."""
    details = evaluation.details

    def worst_first(one: KeypointSummary) -> float:
        return -one.rmse if math.isfinite(one.rmse) else -math.inf

    order = sorted(details.keypoints, key=worst_first)
    head = [*_HEAD, *(f"PCK@{fraction}" for fraction in PCK_FRACTIONS)]
    rows = [head, *(_row(one.name, one) for one in order[:_NUM_SHOWN])]
    if len(order) > _NUM_SHOWN:
        rows.append([f"... {len(order) - _NUM_SHOWN} better ones", *[""] * (len(head) - 1)])
    return [*_aligned([*rows, _row("all", details.pooled)])]


def identity_rows(evaluation: Evaluation) -> list[list[str]]:
    """Who was found as whom; nothing for a model that tells no identities."""
    identity = evaluation.details.identity
    if identity is None:
        return []
    rows = [["is found as", *identity.names]]
    for name, counts in zip(identity.names, identity.confusion, strict=True):
        rows.append([name, *map(str, counts)])
    return _aligned(rows)


def _row(name: str, one: KeypointSummary) -> list[str]:
    numbers = [one.rmse, one.rmse_pcutoff, one.median, one.p90, one.coverage, *one.pck.values()]
    return [name, str(one.labelled), str(one.predicted), *map(_number, numbers)]


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


def _aligned(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Numbers flush right, so that they can be compared."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        [row[0], *(cell.rjust(size) for cell, size in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]
