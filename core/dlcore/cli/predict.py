"""`dlcore predict`: find poses in videos and images with a trained model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcore.cli.options import (
    backend_block,
    backend_option,
    block_of,
    exported_option,
    make_host,
    plugin_option,
    set_option,
)

if TYPE_CHECKING:
    from dlcore.inference.predicting import PredictionReport
    from dlcore.inference.sources import Source
    from dlcore.inference.streaming import Crop

EPILOG = """\b
Examples:
  dlcore predict runs/first mouse.mp4
  dlcore predict runs/first mouse.mp4 --frames 0:500 --video
  dlcore predict runs/first images/ --output predictions --format coco
  dlcore predict runs/first 'videos/mouse?.mp4' --format deeplabcut --format parquet
  dlcore predict runs/pair pair.mp4 --tracker '{type: oks, sigma: 0.2}'
  dlcore predict runs/conditional pair.mp4 --conditions runs/bottom-up
  dlcore predict runs/first mouse.mp4 --backend onnxruntime
"""


def _frames(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int | None]:
    """`A:B` as numbers."""
    if value is None:
        return 0, None
    first, colon, last = value.partition(":")
    try:
        start, stop = int(first or 0), int(last) if last else None
    except ValueError:
        start, stop = -1, None
    if not colon or start < 0 or (stop is not None and stop <= start):
        raise click.BadParameter(f"{value!r} is not like 100:200, 100: or :200", ctx, param)
    return start, stop


def _crop(ctx: click.Context, param: click.Parameter, value: str | None) -> Crop | None:
    """`x,y,w,h` as numbers."""
    if value is None:
        return None
    from dlcore.inference.streaming import Crop

    try:
        x, y, width, height = map(int, value.split(","))
    except ValueError:
        x, y, width, height = -1, -1, 0, 0
    if min(x, y) < 0 or min(width, height) < 1:
        raise click.BadParameter(f"{value!r} is not like 0,40,640,400 (x,y,w,h)", ctx, param)
    return Crop(x, y, width, height)


@click.command("predict", epilog=EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--snapshot", metavar="WHICH", help="best, last, an epoch or a file. Default: best, else last."
)
@click.option(
    "--detector-snapshot",
    metavar="WHICH",
    help="The same for the detector of a top-down model.",
)
@click.option(
    "--conditions",
    metavar="RUN|FILE",
    help="Where the rough poses of a conditional model come from: another run, or a file of poses.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the files go. Default: beside the video, in the folder of the images.",
)
@click.option(
    "--format",
    "formats",
    metavar="NAME",
    multiple=True,
    help="Kind of files: deeplabcut, coco, parquet, or what else `dlcore list prediction_writers` "
    "shows; or a block with options, as in '{type: coco, category_id: 3}'. May be repeated. "
    "Default: deeplabcut.",
)
@click.option("--video", is_flag=True, help="Write an mp4 with the keypoints drawn in, too.")
@click.option(
    "--tracker",
    metavar="NAME|none",
    default="auto",
    help="What tells individuals apart from frame to frame: a name that `dlcore list trackers` "
    "shows, a block with options, or none. Default: oks, in videos of several individuals that "
    "the model does not know by identity.",
)
@click.option(
    "--frames", metavar="A:B", callback=_frames, help="Only the frames from A to before B, from 0."
)
@click.option(
    "--crop",
    metavar="X,Y,W,H",
    callback=_crop,
    help="Look only at this part of each frame. Coordinates stay those of the whole frame.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Default: that of the training.")
@click.option("--device", help="auto, cpu, cuda, cuda:1, mps. Default: `device` of the config.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16", "auto"]),
    default="fp32",
    show_default=True,
    help="Arithmetic of the networks; auto is the fastest that the device has.",
)
@backend_option
@exported_option
@click.option("--overwrite", is_flag=True, help="Replace files that exist. Default: keep them.")
@set_option
@plugin_option
def predict_command(
    run: Path,
    sources: tuple[str, ...],
    snapshot: str | None,
    detector_snapshot: str | None,
    conditions: str | None,
    output: Path | None,
    formats: tuple[str, ...],
    video: bool,
    tracker: str,
    frames: tuple[int, int | None],
    crop: Crop | None,
    batch_size: int | None,
    device: str | None,
    precision: str,
    backend: str,
    exported: Path | None,
    overwrite: bool,
    overrides: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> int:
    """Find poses in videos and images with the model of RUN.

    RUN is the folder of a run, or a config file beside snapshots of dlcore or DeepLabCut. Each
    SOURCE is a video, an image, a folder of them, or a pattern in quotes. What is interrupted goes
    on where it was when the same command is given again.
    """
    host = make_host(plugins)
    from dlcore.cli.evaluate import _conditions
    from dlcore.cli.progress import PredictionBar
    from dlcore.cli.train import log_to_terminal
    from dlcore.errors import DataError
    from dlcore.inference.predicting import predict_source
    from dlcore.inference.prediction_setup import DEFAULT_WRITER, PredictionOptions
    from dlcore.inference.sources import ImagesSource, VideoSource, find_sources
    from dlcore.inference.trained_model import TrainedModel
    from dlcore.inference.trained_run import TrainedRun

    log_to_terminal()
    found = find_sources(sources)
    writers = [block_of(name, "--format") for name in formats or (DEFAULT_WRITER,)]
    options = PredictionOptions(
        output=output,
        writers=[*writers, {"type": "labelled_video"}] if video else writers,
        tracker=_tracker(tracker),
        start=frames[0],
        stop=frames[1],
        crop=crop,
        overwrite=overwrite,
    )
    model = TrainedModel(
        TrainedRun.open(run, host, overrides),
        snapshot=snapshot,
        detector_snapshot=detector_snapshot,
        conditions=_conditions(conditions),
        device=device,
        precision=precision,
        batch_size=batch_size,
        backend=backend_block(backend),
        exported=exported,
    )
    failed = False
    open_each: list[Callable[[], Source]] = [partial(VideoSource, path) for path in found.videos]
    open_each += [partial(ImagesSource, folder, some) for folder, some in found.images.items()]
    for open_source in open_each:
        try:
            source = open_source()
            with PredictionBar(source.path.name) as bar:
                report = predict_source(model, source, options, bar)
        except DataError as error:  # the other sources may be sound
            click.echo(f"error: {error}", err=True)
            failed = True
        except KeyboardInterrupt:
            click.echo("\nthe same command goes on from here", err=True)
            raise
        else:
            _tell(source, report)
    return int(failed)


def _tracker(text: str) -> dict[str, Any] | str | None:
    if text == "none":
        return None
    return text if text == "auto" else block_of(text, "--tracker")


def _tell(source: Source, report: PredictionReport) -> None:
    for path in report.kept:
        click.echo(f"kept: {path} exists already; --overwrite replaces it", err=True)
    if not report.files:
        return
    new = report.frames - report.resumed
    speed = f", {new / report.seconds:.1f} frames/s" if new and report.seconds else ""
    broken = f", {report.broken} of them broken" if report.broken else ""
    resumed = f", {report.resumed} of them known from before" if report.resumed else ""
    what = "frames" if source.kind == "video" else "images"
    click.echo(f"{source.path}: {report.frames} {what}{broken}{resumed}{speed}")
    for path in report.files:
        click.echo(f"written: {path}")
