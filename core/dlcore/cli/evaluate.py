"""`dlcore evaluate`: how good a trained model is on labelled images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dlcore.cli.completing import run_folders
from dlcore.cli.options import make_host, plugin_option, set_option
from dlcore.cli.text import table

if TYPE_CHECKING:
    from dlcore.inference.evaluation import Evaluation

EPILOG = """\b
Examples:
  dlcore evaluate runs/first
  dlcore evaluate runs/first --snapshot 40 --split train
  dlcore evaluate runs/top-down --boxes truth
  dlcore evaluate runs/conditional --conditions runs/bottom-up
"""


@click.command("evaluate", epilog=EPILOG)
@click.argument("run", type=click.Path(path_type=Path), shell_complete=run_folders)
@click.option(
    "--snapshot", metavar="WHICH", help="best, last, an epoch or a file. Default: best, else last."
)
@click.option(
    "--detector-snapshot",
    metavar="WHICH",
    help="The same for the detector of a top-down model.",
)
@click.option(
    "--split",
    type=click.Choice(["test", "train", "validation", "all"]),
    default="test",
    show_default=True,
    help="Which labelled images.",
)
@click.option(
    "--boxes",
    type=click.Choice(["detector", "truth"]),
    default="detector",
    show_default=True,
    help="Where a top-down model looks: where its detector finds animals, or in the true boxes.",
)
@click.option(
    "--conditions",
    metavar="RUN|FILE",
    help="Where the rough poses of a conditional model come from: another run, or a file of poses.",
)
@click.option("--device", help="auto, cpu, cuda, cuda:1, mps. Default: `device` of the config.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    show_default=True,
    help="Arithmetic of the networks.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Default: that of the training.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the metrics there as JSON. Default: evaluation_SPLIT.json in the run's folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@set_option
@plugin_option
def evaluate_command(
    run: Path,
    snapshot: str | None,
    detector_snapshot: str | None,
    split: str,
    boxes: Literal["detector", "truth"],
    conditions: str | None,
    device: str | None,
    precision: str,
    batch_size: int | None,
    output: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Compare what the model of RUN predicts with the labels.

    RUN is the folder of a run, or a config file beside snapshots of dlcore or DeepLabCut.
    """
    host = make_host(plugins)
    from dlcore.cli.train import log_to_terminal
    from dlcore.engine.devices import resolve_device
    from dlcore.engine.run_folder import RunFolder
    from dlcore.errors import DataError
    from dlcore.inference.evaluation import evaluate
    from dlcore.inference.loading import load_estimator
    from dlcore.inference.trained_run import TrainedRun

    log_to_terminal()
    trained = TrainedRun.open(run, host, overrides)
    config = trained.loaded.config
    dataset = trained.dataset()
    splits = dataset.splits() if split == "all" else (split,)
    records = [record for name in splits for record in dataset.records(name)]
    if not records:
        raise DataError(f"the {split} split has no images; choose another with --split")
    estimator = load_estimator(
        trained,
        snapshot=snapshot,
        detector_snapshot=detector_snapshot,
        conditions=_conditions(conditions),
        device=resolve_device(device or config.device, config.runner.gpus),
        precision=precision,
        batch_size=batch_size,
        with_detector=boxes == "detector",
    )
    result = evaluate(estimator, records, boxes=boxes, box_margin=config.data.bbox_margin)
    about = {
        "run": str(trained.folder),
        "snapshot": trained.snapshot(snapshot).name,
        "split": split,
        "images": len(records),
        "boxes": boxes if config.method == "td" else None,
        "metrics": result.metrics,
    }
    path = output or trained.folder / f"evaluation_{split}.json"
    RunFolder(path.parent).write_json(path.name, about)
    click.echo(json.dumps(about, indent=2) if as_json else _text(about, result, path))


def _conditions(given: str | None) -> str | dict[str, str] | None:
    if given is None:
        return None
    path = Path(given).expanduser().absolute()
    is_run = path.is_dir() or path.suffix in (".yaml", ".yml")
    return {"config_path": str(path)} if is_run else str(path)


def _text(about: Mapping[str, object], result: Evaluation, path: Path) -> str:
    rows = [[name, _UNITS.get(name, ""), f"{value:.2f}"] for name, value in result.metrics.items()]
    where = f", boxes: {about['boxes']}" if about["boxes"] else ""
    return "\n".join(
        [
            f"{about['snapshot']} on {about['images']} {about['split']} images{where}",
            *table(rows),
            f"written: {path}",
        ]
    )


_UNITS = {
    "rmse": "pixels",
    "rmse_pcutoff": "pixels, of keypoints with a score of at least 0.6",
    "individuals_found": "%",
    "images_with_all_found": "%",
}
