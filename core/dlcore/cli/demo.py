"""`dlcore demo`: draw a dataset, train, measure, show. Needs nothing but the installation."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlcore.errors import TrainingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dlcore.inference.evaluation import Evaluation
    from dlcore.interfaces import PoseTask, Record

NUM_TRAIN, NUM_TEST, SIZE = 240, 60, 128

EPILOG = """\b
Examples:
  dlcore demo
  dlcore demo --output /tmp/lizards
"""


@click.command("demo", epilog=EPILOG)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("dlcore-demo"),
    show_default=True,
    help="Folder for images, run and picture.",
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier demo left there.")
@click.option("--device", help="auto, cpu, cuda, mps. Default: auto.")
def demo_command(output: Path, overwrite: bool, device: str | None) -> None:
    """Draw lizards, train a small network on them and show what it finds.

    Takes one to three minutes on two CPU cores. Leaves an ordinary dataset, its config, the run and
    a picture of predictions beside the truth.
    """
    start = time.monotonic()
    _make_folder(output, overwrite)
    from dlcore.cli.options import make_host
    from dlcore.cli.train import log_to_terminal
    from dlcore.config.loading import load_config
    from dlcore.engine.devices import resolve_device
    from dlcore.engine.request import RunRequest
    from dlcore.engine.run import train
    from dlcore.inference.evaluation import evaluate
    from dlcore.inference.loading import load_estimator
    from dlcore.inference.trained_run import TrainedRun
    from dlcore.runs.report.writing import refresh_report
    from dlcore.testing.animals import write_animals

    log_to_terminal()
    click.echo(f"drawing {NUM_TRAIN} training and {NUM_TEST} test images")
    write_animals(output / "animals", num_train=NUM_TRAIN, num_test=NUM_TEST, size=SIZE)
    config_path = output / "pytorch_config.yaml"
    config_path.write_text(
        files("dlcore.cli").joinpath("demo.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    host = make_host(())
    loaded = load_config(config_path, host)
    train(loaded, host, RunRequest(output, device=device))
    refresh_report(output)
    # the last one, not the best: the test images have had no say in it
    run = TrainedRun.open(output, host)
    snapshot = run.snapshot("last")
    where = resolve_device(device or "auto")
    estimator = load_estimator(run, snapshot=snapshot, device=where)
    dataset = run.dataset()
    predicted = evaluate(estimator, dataset.records("test"))
    trained_on = dataset.records("train")
    result = _measure(predicted, trained_on)
    result["seconds"] = time.monotonic() - start
    (output / "demo.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    _draw(predicted, dataset.task, output / "predictions.png")
    click.echo(
        f"\nmean error on {NUM_TEST} unseen images: {result['error_px']:.2f} pixels, "
        f"{result['error_percent_of_length']:.1f} % of the animal's length\n"
        f"(always predicting the mean pose: {result['mean_pose_error_px']:.1f} pixels)\n"
        f"picture: {output / 'predictions.png'}\n"
        f"run:     {output} ({snapshot.name}, report.html, learning_stats.csv)\n"
        f"done in {result['seconds']:.0f} s"
    )


def _make_folder(output: Path, overwrite: bool) -> None:
    marker = output / ".dlcore-demo"
    if output.exists() and any(output.iterdir()):
        if not overwrite:
            raise TrainingError(
                f"{str(output)!r} is not empty; choose another folder with --output, or replace "
                f"an earlier demo with --overwrite"
            )
        if not marker.is_file():
            raise TrainingError(
                f"{str(output)!r} holds something other than a demo and is left alone; "
                f"choose another folder with --output"
            )
        shutil.rmtree(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        raise TrainingError(
            f"cannot write to {str(output)!r}: {error.strerror}; choose another --output"
        ) from error


def _errors(predicted: Evaluation) -> tuple[npt.NDArray[np.float64], ...]:
    """Truth (M, K, 2) with NaN where unlabelled, prediction (M, K, 2), lengths (M,)."""
    import numpy as np

    from dlcore.testing.animals import LENGTH_ENDS

    truth = _labels(predicted.records)
    nothing = np.full((1, *truth.shape[1:]), np.nan)
    poses = np.concatenate(
        [found.poses[:1, :, :2] if len(found.poses) else nothing for found in predicted.predictions]
    )
    first, last = LENGTH_ENDS
    lengths = np.linalg.norm(truth[:, first] - truth[:, last], axis=-1)
    return truth, poses, lengths


def _labels(records: Sequence[Record]) -> npt.NDArray[np.float64]:
    """(M, K, 2) of the only animal of each image, NaN where unlabelled."""
    import numpy as np

    truth = np.stack([record.keypoints[0] for record in records]).astype(np.float64)
    return np.where(truth[..., 2:] > 0, truth[..., :2], np.nan)


def _measure(predicted: Evaluation, trained_on: Sequence[Record]) -> dict[str, float]:
    import numpy as np

    truth, poses, lengths = _errors(predicted)
    distances = np.linalg.norm(poses - truth, axis=-1)
    mean_pose = np.nanmean(_labels(trained_on), axis=0)
    baseline = np.linalg.norm(mean_pose - truth, axis=-1)
    return {
        "error_px": float(np.nanmean(distances)),
        "error_percent_of_length": float(100 * np.nanmean(distances / lengths[:, None])),
        "mean_pose_error_px": float(np.nanmean(baseline)),
    }


def _draw(
    predicted: Evaluation, task: PoseTask, path: Path, columns: int = 4, rows: int = 3
) -> None:
    """Truth as circles, predictions as crosses, on the first images."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D

    from dlcore.data.images import read_image

    truth, poses, _ = _errors(predicted)
    names = task.keypoints
    colours = plt.get_cmap("turbo")([i / max(len(names) - 1, 1) for i in range(len(names))])
    figure, axes = plt.subplots(rows, columns, figsize=(3 * columns, 3 * rows + 0.6))
    for axis, record, true, found in zip(axes.flat, predicted.records, truth, poses, strict=False):
        image = read_image(record.image)
        axis.imshow(image, extent=(0, image.shape[1], image.shape[0], 0))
        for start, end in task.skeleton:
            axis.plot(found[[start, end], 0], found[[start, end], 1], "-", c="white", lw=0.8)
        axis.scatter(*true.T, s=60, facecolors="none", edgecolors=colours, linewidths=1.5)
        axis.scatter(*found.T, s=25, marker="x", c=colours, linewidths=1.5)
        axis.set_axis_off()
    handles = [Line2D([], [], marker="o", ls="", c=c) for c in colours]
    figure.legend(handles, names, loc="lower center", ncol=len(names), frameon=False, fontsize=9)
    figure.suptitle("unseen images: circles are the truth, crosses the prediction")
    figure.tight_layout(rect=(0, 0.04, 1, 0.99))
    figure.savefig(path, dpi=110)
    plt.close(figure)
