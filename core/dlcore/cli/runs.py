"""`dlcore runs`: which runs a folder holds, how far they came, how good they are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dlcore.cli.text import table
from dlcore.errors import DataError
from dlcore.runs.finding import find_runs
from dlcore.runs.record import RunRecord, StageRecord, read_run
from dlcore.runs.state import RunState, state_of

EPILOG = """\b
Examples:
  dlcore runs runs
  dlcore runs my_project/dlc-models-pytorch --sort test.rmse
  dlcore runs . --json
"""

_HEADER = (
    "run", "net type", "method", "epochs", "best", "at", "rmse", "changed", "size", "state", ""
)  # fmt: skip


@dataclass(frozen=True)
class _Row:
    name: str
    run: RunRecord
    state: RunState

    @property
    def main(self) -> StageRecord | None:
        """The pose model, or the detector where there is no other."""
        return self.run.stages[-1] if self.run.stages else None


_SORTS: dict[str, Callable[[_Row], Any]] = {
    "name": lambda row: row.name,
    "net-type": lambda row: row.run.net_type or "",
    "method": lambda row: row.run.method or "",
    "state": lambda row: row.state.name,
    "epochs": lambda row: -row.main.epochs if row.main else 0,
    "changed": lambda row: -row.run.changed,
    "size": lambda row: -sum(row.run.snapshots.values()),
}


@click.command("runs", epilog=EPILOG)
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--sort",
    "key",
    metavar="KEY",
    default="name",
    show_default=True,
    help="name, net-type, method, state, epochs, changed, size, or a metric such as test.mAP.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for other programs.")
def runs_command(folder: Path, key: str, as_json: bool) -> None:
    """List the runs at and below FOLDER, those of DeepLabCut too.

    A run is shown with the metrics of its best epoch and with its state: complete, running,
    interrupted, failed, or incomplete where a stage is still to be trained. A question mark means
    that it seems so. The default FOLDER is the current one.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {str(folder)!r}")
    rows = []
    for place in find_runs(folder):
        run = read_run(place)
        name = place.relative_to(folder).as_posix()
        rows.append(_Row(name if name != "." else place.resolve().name, run, state_of(run)))
        for problem in run.problems:
            click.echo(f"warning: {problem}", err=True)
    rows = _sorted(rows, key)
    if as_json:
        click.echo(json.dumps([_as_json(row) for row in rows], indent=2))
    elif rows:
        click.echo("\n".join(table([_HEADER, *(cells for row in rows for cells in _cells(row))])))
    else:
        click.echo(f"there are no runs in {str(folder)!r}", err=True)


def _sorted(rows: Sequence[_Row], key: str) -> list[_Row]:
    by_name = sorted(rows, key=_SORTS["name"])
    if key in _SORTS:
        return sorted(by_name, key=_SORTS[key])
    metrics = {name for row in rows for stage in row.run.stages for name in stage.best}
    if rows and key not in metrics:
        raise click.BadParameter(
            f"{key!r} is neither a column nor a metric; choose from "
            f"{', '.join([*_SORTS, *sorted(metrics)])}",
            param_hint="--sort",
        )
    sign = 1 if "rmse" in key or "loss" in key else -1

    def value(row: _Row) -> float:
        found = [stage.best[key] for stage in row.run.stages if key in stage.best]
        return sign * found[-1] if found else float("inf")

    return sorted(by_name, key=value)


def _cells(row: _Row) -> list[list[str]]:
    """The lines of a run: one, and one for each further stage."""
    run, main = row.run, row.main
    size = sum(run.snapshots.values())
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.changed))
    how_far = _stage_cells(main) if main is not None else ["", "", "", ""]
    first = [row.name, run.net_type or "-", run.method or "-", *how_far, changed, _size(size)]
    lines = [[*first, row.state.name, row.state.note]]
    for stage in run.stages[:-1]:
        cells = [f"  + {stage.name}", stage.architecture or "-", "", *_stage_cells(stage)]
        lines.append([*cells, "", "", "", ""])
    return lines


def _stage_cells(stage: StageRecord) -> list[str]:
    epochs = "given" if stage.given else f"{stage.epochs}/{stage.planned}"
    best = stage.best
    if not best:
        return [epochs, "-", "", ""]
    name = stage.key_metric.removeprefix("test.")
    rmse = best.get("test.rmse")
    return [
        epochs,
        f"{name} {best[stage.key_metric]:.2f}",
        str(stage.best_epoch),
        "" if rmse is None else f"{rmse:.2f}",
    ]


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _as_json(row: _Row) -> dict[str, Any]:
    run = row.run
    return {
        "run": row.name,
        "folder": str(run.folder.resolve()),
        "net_type": run.net_type,
        "method": run.method,
        "state": row.state.name,
        "note": row.state.note or None,
        "resumable": row.state.name not in ("complete", "running") and run.can_be_resumed,
        "changed": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(run.changed)),
        "dlcore": run.manifest.get("version"),
        "snapshots": run.snapshots,
        "stages": [
            {
                "stage": stage.name,
                "architecture": stage.architecture,
                "epochs": stage.epochs,
                "planned": stage.planned,
                "given": stage.given,
                "key_metric": stage.key_metric,
                "best_epoch": stage.best_epoch,
                "best": stage.best,
            }
            for stage in run.stages
        ],
        "problems": list(run.problems),
    }
