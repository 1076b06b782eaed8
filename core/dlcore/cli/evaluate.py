"""`dlcore evaluate`: how good a trained model is on labelled images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from dlcore.cli.completing import run_folders
from dlcore.cli.options import (
    backend_block,
    backend_option,
    block_of,
    exported_option,
    make_host,
    plugin_option,
    set_option,
)
from dlcore.cli.text import table

if TYPE_CHECKING:
    from dlcore.inference.evaluation import Evaluation
    from dlcore.inference.evaluation_files import EvaluationFiles
    from dlcore.inference.evaluation_options import Counting
    from dlcore.inference.trained_run import TrainedRun
    from dlcore.interfaces import EvaluationWriter, PoseDataset

EPILOG = """\b
Examples:
  dlcore evaluate runs/first
  dlcore evaluate runs/first --snapshot 40 --split train
  dlcore evaluate runs/first --split all --pictures 20
  dlcore evaluate runs/first --pcutoff 0.4
  dlcore evaluate runs/first --pcutoff '{snout: 0.8, tail: 0.3}'
  dlcore evaluate runs/first --set 'inference.eval.oks_sigmas={tail: 0.2}'
  dlcore evaluate runs/first --split all --format deeplabcut
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
    help="Which labelled images. all: each split by itself, with numbers of its own.",
)
@click.option(
    "--pcutoff",
    metavar="NUMBER|MAP",
    help="Score from which a keypoint counts in rmse_pcutoff and in the coverage: for all, or by "
    "name. Default: `inference.eval.pcutoff` of the config, 0.6 unless it says otherwise.",
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
    type=click.Choice(["fp32", "bf16", "fp16", "auto"]),
    default="fp32",
    show_default=True,
    help="Arithmetic of the networks; auto is the fastest that the device has.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Default: that of the training.")
@backend_option
@exported_option
@click.option(
    "--pictures",
    type=click.IntRange(min=0),
    default=6,
    show_default=True,
    help="How many images to draw with labels and predictions: half of them the worst, the others "
    "typical ones. 0 for none.",
)
@click.option(
    "--format",
    "formats",
    metavar="NAME",
    multiple=True,
    help="Also write files for other programs: deeplabcut, or what else "
    "`dlcore list evaluation_writers` shows. May be repeated. Default: with --split all those of "
    "the programs that the data belong to; none writes none.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the numbers there as JSON, and the .csv and the pictures beside it. With --split "
    "all the splits' names are put to its own. Default: evaluation_SPLIT.json in the run's folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@set_option
@plugin_option
def evaluate_command(
    run: Path,
    snapshot: str | None,
    detector_snapshot: str | None,
    split: str,
    pcutoff: str | None,
    boxes: Literal["detector", "truth"],
    conditions: str | None,
    device: str | None,
    precision: str,
    batch_size: int | None,
    backend: str,
    exported: Path | None,
    pictures: int,
    formats: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Compare what the model of RUN predicts with the labels.

    RUN is the folder of a run, or a config file beside snapshots of dlcore or DeepLabCut. Errors
    are in pixels of the images: by keypoint, with percentiles, PCK and coverage, in a table, as
    .json and as .csv. Pictures of the worst and of typical images go into a folder beside them, and
    all of it into the report of the run.
    """
    host = make_host(plugins)
    from dlcore.cli.train import log_to_terminal
    from dlcore.engine.devices import resolve_device
    from dlcore.errors import DataError
    from dlcore.inference.evaluation import evaluate
    from dlcore.inference.evaluation_files import write_files
    from dlcore.inference.evaluation_options import Counting
    from dlcore.inference.loading import load_estimator
    from dlcore.inference.trained_run import TrainedRun
    from dlcore.interfaces import EvaluatedSplit
    from dlcore.runs.report.writing import refresh_report

    log_to_terminal()
    if pcutoff is not None:
        overrides = (*overrides, f"inference.eval.pcutoff={pcutoff}")
    trained = TrainedRun.open(run, host, overrides)
    config = trained.loaded.config
    counting = Counting.of(trained.loaded, trained.task)
    dataset = trained.dataset()
    splits = tuple(dataset.splits()) if split == "all" else (split,)
    records = {name: dataset.records(name) for name in splits}
    if not any(records.values()):
        raise DataError(f"the {split} split has no images; choose another with --split")
    chosen = trained.snapshot(snapshot)
    detector = _detector_snapshot(trained, detector_snapshot) if boxes == "detector" else None
    writers = _writers(trained, dataset, formats, splits, counting, chosen, detector)
    estimator = load_estimator(
        trained,
        snapshot=snapshot,
        detector_snapshot=detector_snapshot,
        conditions=_conditions(conditions),
        device=resolve_device(device or config.device, config.runner.gpus),
        precision=precision,
        batch_size=batch_size,
        with_detector=boxes == "detector",
        backend=backend_block(backend),
        exported=exported,
    )
    contents: dict[str, dict[str, Any]] = {}
    done: list[EvaluatedSplit] = []
    for name, some in records.items():
        if not some:
            continue
        result = evaluate(
            estimator, some, boxes=boxes, box_margin=config.data.bbox_margin, counting=counting
        )
        about = {
            "run": str(trained.folder),
            "snapshot": chosen.name,
            "split": name,
            "boxes": boxes if config.method == "td" else None,
        }
        files = _files(trained.folder, output, name, several=split == "all")
        contents[name] = write_files(result, trained.task, files, about, pictures)
        errors = [keypoint.rmse for keypoint in result.details.keypoints]
        done.append(
            EvaluatedSplit(name, result.records, result.predictions, result.metrics, errors)
        )
        if not as_json:
            click.echo(_text(contents[name], result, files))
    written = [path for writer in writers for path in writer.write(done)]
    if as_json:
        click.echo(json.dumps(contents if split == "all" else contents[split], indent=2))
    for path in written:
        click.echo(f"written: {path}", err=as_json)
    if output is None:
        report = refresh_report(trained.folder)
        if report is not None:
            click.echo(f"written: {report}", err=as_json)


def _files(folder: Path, output: Path | None, split: str, *, several: bool) -> EvaluationFiles:
    from dlcore.inference.evaluation_files import EvaluationFiles

    if output is None:
        return EvaluationFiles.of(folder / f"evaluation_{split}.json")
    path = output if output.suffix else output.with_suffix(".json")
    return EvaluationFiles.of(path.with_stem(f"{path.stem}_{split}") if several else path)


def _detector_snapshot(run: TrainedRun, which: str | None) -> Path | None:
    """The weights of the detector, if it has some of its own."""
    from dlcore.engine.snapshots import list_snapshots

    if run.loaded.config.method != "td":
        return None
    if which is None and not list_snapshots(run.folder, run.stage("detector").snapshot_prefix):
        return None
    return run.snapshot(which, "detector")


def _writers(
    run: TrainedRun,
    dataset: PoseDataset,
    formats: Sequence[str],
    splits: tuple[str, ...],
    counting: Counting,
    snapshot: Path,
    detector_snapshot: Path | None,
) -> list[EvaluationWriter]:
    """Those that the user names, or else that of the programs that the data belong to."""
    from dlcore.building import build
    from dlcore.interfaces import EvaluationJob

    names = [name for name in formats if name != "none"]
    if not formats and dataset.evaluation_writer is not None and len(splits) > 1:
        names = [dataset.evaluation_writer]
    job = EvaluationJob(
        folder=run.folder,
        task=run.task,
        splits=splits,
        pcutoff=counting.pcutoff,
        config_path=run.place,
        snapshot=snapshot,
        config=run.loaded.values,
        detector_snapshot=detector_snapshot,
    )
    blocks = [block_of(name, "--format") for name in names]
    return [build(run.host, "evaluation_writers", block, job, key="--format") for block in blocks]


def _conditions(given: str | None) -> str | dict[str, str] | None:
    if given is None:
        return None
    path = Path(given).expanduser().absolute()
    is_run = path.is_dir() or path.suffix in (".yaml", ".yml")
    return {"config_path": str(path)} if is_run else str(path)


def _text(content: dict[str, Any], result: Evaluation, files: EvaluationFiles) -> str:
    from dlcore.inference.evaluation_text import identity_rows, keypoint_rows, metric_rows

    where = f", boxes: {content['boxes']}" if content["boxes"] else ""
    speed = content["images_per_s"]
    fast = f", {speed:.1f} images/s" if speed else ""
    lines = [
        f"{content['snapshot']} on {content['images']} {content['split']} images{where}{fast}",
        *table(metric_rows(result)),
        "errors in pixels, coverage and PCK in percent, the worst keypoints first:",
        *table(keypoint_rows(result)),
        *table(identity_rows(result)),
        f"written: {files.json}",
        f"written: {files.csv}",
    ]
    if content["pictures"]:
        lines.append(f"written: {files.pictures} ({len(content['pictures'])} pictures)")
    return "\n".join(lines)
