"""What `dlcore evaluate` left in the folder of a run: `evaluation_SPLIT.json`, old files too."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPLITS = ("test", "validation", "train", "all")
"""In the order in which they are told."""

PCK = ("0.05", "0.1", "0.2")
KINDS = ("best", "typical", "worst")


@dataclass(frozen=True)
class KeypointErrors:
    """How well one bodypart is found; None is what is not known.

    Attributes:
        name: Of the bodypart.
        unique: Whether it belongs to no individual.
        counts: "labelled" and "predicted".
        pixels: "rmse", "rmse_pcutoff", "median", "p75", "p90", "p95".
        percent: "coverage", and the PCK by its share of the size: "0.05".
    """

    name: str
    unique: bool
    counts: dict[str, int | None]
    pixels: dict[str, float | None]
    percent: dict[str, float | None]

    @property
    def middle(self) -> float | None:
        """The typical error: the median, or the mean where there is none."""
        return self.pixels["median"] if self.pixels["median"] is not None else self.pixels["rmse"]


@dataclass(frozen=True)
class Confusion:
    """Which individuals were taken for which.

    Attributes:
        names: Of the true individuals, and of the first columns.
        columns: Names of all columns.
        counts: Rows true, columns predicted.
    """

    names: list[str]
    columns: list[str]
    counts: list[list[int]]

    @property
    def rows(self) -> list[tuple[str, list[tuple[int, float]]]]:
        """The name of each row, and of each of its cells the count and the percent of the row."""
        return [
            (name, [(count, 100 * count / (sum(row) or 1)) for count in row])
            for name, row in zip(self.names, self.counts, strict=True)
        ]

    @property
    def right(self) -> float | None:
        """Percent of all that were taken for themselves."""
        total = sum(map(sum, self.counts))
        diagonal = sum(row[i] for i, row in enumerate(self.counts) if i < len(row))
        return 100 * diagonal / total if total else None


@dataclass(frozen=True)
class ImageErrors:
    """How well one image is predicted."""

    image: str
    rmse: float | None
    rmse_pcutoff: float | None
    missed: int | None


@dataclass(frozen=True)
class EvaluationPicture:
    """A picture that an evaluation drew; `file` is relative to the folder of the run."""

    file: str
    kind: str
    image: str
    rmse: float | None


@dataclass(frozen=True)
class EvaluationRecord:
    """One evaluation of a run; what its file does not hold is empty or None."""

    split: str
    snapshot: str
    images: int | None
    boxes: str
    pcutoff: str
    metrics: dict[str, float | None]
    keypoints: list[KeypointErrors]
    pooled: KeypointErrors | None
    identity: Confusion | None
    per_image: list[ImageErrors]
    pictures: list[EvaluationPicture]
    seconds: float | None
    images_per_s: float | None


def read_evaluations(folder: Path) -> tuple[list[EvaluationRecord], list[str]]:
    """The evaluations in a run's folder, and what could not be read."""
    found, problems = [], []
    for split in SPLITS:
        path = folder / f"evaluation_{split}.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict):
                raise ValueError("it is no map")
            found.append(_evaluation(values, split))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            problems.append(f"{path.name!r} cannot be read: {error}")
    return found, problems


def _evaluation(values: Mapping[str, Any], split: str) -> EvaluationRecord:
    pooled = values.get("pooled")
    return EvaluationRecord(
        split,
        str(values.get("snapshot") or ""),
        _count(values.get("images")),
        str(values.get("boxes") or ""),
        _cutoff(values.get("pcutoff")),
        {str(name): _number(value) for name, value in _map(values.get("metrics")).items()},
        [_keypoint(item) for item in _maps(values.get("keypoints"))],
        _keypoint(pooled) if isinstance(pooled, Mapping) else None,
        _confusion(values.get("identity")),
        [
            ImageErrors(
                str(item.get("image") or ""),
                _number(item.get("rmse")),
                _number(item.get("rmse_pcutoff")),
                _count(item.get("missed")),
            )
            for item in _maps(values.get("per_image"))
        ],
        [
            EvaluationPicture(
                str(item.get("file") or ""),
                str(item.get("kind") or ""),
                str(item.get("image") or ""),
                _number(item.get("rmse")),
            )
            for item in _maps(values.get("pictures"))
        ],
        _number(values.get("seconds")),
        _number(values.get("images_per_s")),
    )


def _keypoint(item: Mapping[str, Any]) -> KeypointErrors:
    pck = _map(item.get("pck"))
    pixels = ("rmse", "rmse_pcutoff", "median", "p75", "p90", "p95")
    return KeypointErrors(
        str(item.get("name") or ""),
        item.get("unique") is True,
        {name: _count(item.get(name)) for name in ("labelled", "predicted")},
        {name: _number(item.get(name)) for name in pixels},
        {"coverage": _number(item.get("coverage")), **{n: _number(pck.get(n)) for n in PCK}},
    )


def _confusion(value: Any) -> Confusion | None:
    values = _map(value)
    names = [str(name) for name in _list(values.get("names"))]
    rows = [[_count(cell) or 0 for cell in _list(row)] for row in _list(values.get("confusion"))]
    if not names or not rows or not any(map(any, rows)):
        return None
    columns = max(map(len, rows))
    more = ["none"] if columns == len(names) + 1 else []
    headers = [*names, *more][:columns]
    headers += [f"column {number + 1}" for number in range(len(headers), columns)]
    rows = [[*row, *[0] * (columns - len(row))] for row in rows]
    names += [f"row {number + 1}" for number in range(len(names), len(rows))]
    return Confusion(names[: len(rows)], headers, rows)


def _cutoff(value: Any) -> str:
    if isinstance(value, list):
        cutoffs = sorted({number for number in map(_number, value) if number is not None})
        return " to ".join(f"{number:g}" for number in dict.fromkeys(cutoffs[:1] + cutoffs[-1:]))
    number = _number(value)
    return "" if number is None else f"{number:g}"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]
