"""The learning curves of several runs on one picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcore.errors import DataError
from dlcore.runs.record import EVAL_LOSS, TRAIN_LOSS, RunRecord, StageRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("png", "pdf", "svg")

_ALWAYS = ("test.mAP", "test.rmse")
_FEW_POINTS = 60
_FEW_RUNS = 10


@dataclass(frozen=True)
class _Curve:
    """One line of a panel: of which run, and how it is drawn."""

    run: int
    epochs: list[int]
    values: list[float]
    dashed: bool = False
    best: int | None = None


@dataclass(frozen=True)
class _Panel:
    title: str
    logarithmic: bool = False
    curves: list[_Curve] = field(default_factory=list)


def draw_comparison(runs: Mapping[str, RunRecord], path: Path, metric: str | None = None) -> None:
    """Draw the losses and the key metrics of runs over their epochs, with one colour for each run.

    A detector has panels of its own. The best epoch of a run is marked on its key metric.

    Args:
        runs: By the names to write on the picture.
        path: The picture to write, as PNG, PDF or SVG.
        metric: Draw only this one, such as "test.rmse" or "losses/train.bodypart_heatmap".

    Raises:
        DataError: If there is nothing to draw.
    """
    panels = [panel for panel in _panels(list(runs.values()), metric) if panel.curves]
    if not panels:
        raise DataError(_nothing(runs, metric))
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    names = list(runs)
    few = len(names) <= _FEW_RUNS
    colours = [
        colormaps["tab10"](number) if few else colormaps["turbo"](number / (len(names) - 1))
        for number in range(len(names))
    ]
    columns = 1 if max(map(len, names)) > 40 else 2
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(8, 2.8 * len(panels) + 0.22 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, panel in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
        _draw(axis, panel, colours)
    lines = [Line2D([], [], color=colour, linewidth=2) for colour in colours]
    figure.legend(lines, names, loc="outside upper left", ncols=columns, fontsize=8, frameon=False)
    temporary = path.with_name(f"{path.name}.part")
    figure.savefig(temporary, format=path.suffix.lstrip(".").lower() or "png", dpi=130)
    temporary.replace(path)


def _panels(runs: list[RunRecord], metric: str | None) -> list[_Panel]:
    panels: dict[str, _Panel] = {}
    for stage_name in ("detector", "pose"):
        stages = {
            number: stage
            for number, run in enumerate(runs)
            for stage in run.stages
            if stage.name == stage_name
        }
        prefix = "detector: " if stage_name == "detector" else ""
        for key in [metric] if metric else ["loss", *_metrics(stages)]:
            title = f"{prefix}{key.removeprefix('metrics/')}"
            is_loss = key == "loss" or key.startswith("losses/")
            panel = panels.setdefault(title, _Panel(title, is_loss))
            for number, stage in stages.items():
                panel.curves.extend(_curves(number, stage, key))
    return list(panels.values())


def _metrics(stages: Mapping[int, StageRecord]) -> list[str]:
    """The key metrics of the stages, and those that people look at first."""
    wanted = dict.fromkeys([stage.key_metric for stage in stages.values()])
    return [*wanted, *(name for name in _ALWAYS if name not in wanted)]


def _curves(number: int, stage: StageRecord, key: str) -> list[_Curve]:
    if key == "loss":
        pairs = [(TRAIN_LOSS, False), (EVAL_LOSS, True)]
    else:
        pairs = [(key if "/" in key else f"metrics/{key}", False)]
    best = stage.best_epoch if pairs[0][0] == f"metrics/{stage.key_metric}" else None
    curves = []
    for name, dashed in pairs:
        epochs, values = stage.curves.get(name, ([], []))
        if epochs:
            curves.append(_Curve(number, epochs, values, dashed, best))
    return curves


def _draw(axis: Axes, panel: _Panel, colours: list[Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    if panel.logarithmic and all(v > 0 for curve in panel.curves for v in curve.values):
        axis.set_yscale("log")
    for curve in panel.curves:
        colour = colours[curve.run]
        few = len(curve.epochs) <= _FEW_POINTS
        axis.plot(
            curve.epochs,
            curve.values,
            color=colour,
            linewidth=1.5,
            linestyle="--" if curve.dashed else "-",
            marker="o" if few else None,
            markersize=2.5,
        )
        if curve.best is not None:
            value = curve.values[curve.epochs.index(curve.best)]
            axis.plot([curve.best], [value], color=colour, marker="*", markersize=11)
    note = "\n(dashed: testing)" if any(curve.dashed for curve in panel.curves) else ""
    axis.set_ylabel(panel.title + note)
    axis.set_xlabel("epoch")
    axis.set_xlim(left=0)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _nothing(runs: Mapping[str, RunRecord], metric: str | None) -> str:
    measured = {
        name.removeprefix("metrics/")
        for run in runs.values()
        for stage in run.stages
        for name in stage.curves
    }
    if metric is None or not measured:
        return "there are no curves to draw: none of the runs has finished an epoch"
    return f"no run has measured {metric!r}; choose one of {', '.join(sorted(measured))}"
