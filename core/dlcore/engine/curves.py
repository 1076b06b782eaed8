"""The learning curves of a run, as a picture."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = dict[str, tuple[list[int], list[float]]]
"""Epochs and values by name, without the epochs in which nothing was measured."""

STEP = "step"
TOTAL = "total_loss"
_BEST_SNAPSHOT = re.compile(r"(.*)-best-(\d+)\.pt")
_COLOURS = ("#1f6fb4", "#d9641e", "#3a8f4d", "#8b5fbf", "#b43a5a", "#6b6b6b")
_DASHES = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
_FEW_POINTS = 60


def draw_learning_curves(csv_path: Path, png_path: Path) -> None:
    """Draw the losses and the metrics of a run over its epochs.

    One panel shows the losses on a logarithmic scale, one the metrics in pixels and one those in
    percent, as far as there are any. The epoch of the best snapshot beside the table is marked.
    Nothing is drawn where nothing was measured yet.

    Args:
        csv_path: The run's `learning_stats.csv`, or `learning_stats_detector.csv`.
        png_path: The picture to write.

    Raises:
        ValueError: If the table cannot be read.
    """
    curves = read_curves(csv_path)
    found_panels = {title: found for title, found in panels(curves).items() if found}
    if not found_panels:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    last = max(epochs[-1] for epochs, _ in curves.values())
    best = _best_epoch(csv_path, last)
    figure = Figure(figsize=(8, 2.8 * len(found_panels) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(found_panels), sharex=True, squeeze=False)[:, 0]
    for axis, (title, found) in zip(axes, found_panels.items(), strict=True):
        _draw(axis, title, found)
        if best is not None:
            axis.axvline(best, color="#888888", linestyle="--", linewidth=1, zorder=0)
    if best is not None:
        axes[0].annotate(
            f"best: epoch {best}",
            (best, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color="#666666",
        )
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.get_major_locator().set_params(integer=True)
    temporary = png_path.with_name(f"{png_path.name}.part")
    figure.savefig(temporary, format="png", dpi=130)
    temporary.replace(png_path)


def read_curves(csv_path: Path) -> Curves:
    """Read a table of learning statistics.

    Raises:
        ValueError: If it is not one.
    """
    curves: Curves = {}
    try:
        with csv_path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, strict=True):
                epoch = int(row.pop(STEP))
                for name, text in row.items():
                    value = float(text) if text else math.nan
                    if math.isfinite(value):
                        epochs, values = curves.setdefault(name, ([], []))
                        epochs.append(epoch)
                        values.append(value)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise ValueError(
            f"{str(csv_path)!r} is no table of learning statistics: {error}"
        ) from error
    return curves


def panels(curves: Mapping[str, tuple[list[int], list[float]]]) -> dict[str, Curves]:
    """What to draw together: losses, metrics in pixels, metrics in percent."""
    drawn: dict[str, Curves] = {"loss": {}, "pixels": {}, "percent": {}, "value": {}}
    for name, (epochs, values) in curves.items():
        kind, _, rest = name.partition("/")
        if kind == "profile":  # has a picture of its own
            continue
        if kind == "losses":
            above = [(e, v) for e, v in zip(epochs, values, strict=True) if v > 0]
            if above:
                drawn["loss"][rest] = ([e for e, _ in above], [v for _, v in above])
        else:
            measure = rest.rpartition(".")[2]  # of averaged weights, "ema.test.mAP"
            unit = "pixels" if "rmse" in measure else "value"
            unit = "percent" if measure.startswith(("mAP", "mAR")) else unit
            drawn[unit][rest or name] = (epochs, values)
    return drawn


def _draw(axis: Axes, title: str, curves: Curves) -> None:
    if title == "loss":
        axis.set_yscale("log")
        curves = totals_first(curves)
    parts = list(dict.fromkeys(name.partition(".")[2] for name in curves))
    for number, (name, (epochs, values)) in enumerate(curves.items()):
        split, _, part = name.partition(".")
        style: dict[str, Any] = {"color": _COLOURS[number % len(_COLOURS)], "linewidth": 1.6}
        if title == "loss":
            style["color"] = _COLOURS[0 if split == "train" else 1]
            if part != TOTAL:
                dashes = _DASHES[(parts.index(part) - 1) % len(_DASHES)]
                style |= {"linewidth": 1.0, "alpha": 0.7, "linestyle": dashes}
        if len(epochs) <= _FEW_POINTS:
            style |= {"marker": "o", "markersize": 3}
        axis.plot(epochs, values, label=name, **style)
    axis.set_ylabel(title)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def totals_first(losses: Curves) -> Curves:
    """Totals of the model before its parts; those of single heads say nothing new."""
    names = [name for name in losses if not name.endswith(f"_{TOTAL}")]
    names.sort(key=lambda name: (not name.endswith(f".{TOTAL}"), not name.startswith("train")))
    return {name: losses[name] for name in names}


def _best_epoch(csv_path: Path, last: int) -> int | None:
    """The epoch in the name of the best snapshot beside the table, if it is in the table.

    The names of snapshots of other weights are longer: `snapshot-ema-best-010.pt`.
    """
    detector = "detector" in csv_path.stem
    found = [
        (-len(match[1]), int(match[2]))
        for path in csv_path.parent.glob("*.pt")
        if (match := _BEST_SNAPSHOT.fullmatch(path.name)) and ("detector" in path.name) == detector
    ]
    return max((place for place in found if place[1] <= last), default=(0, None))[1]
