"""`dlcore export`: a trained network as a file for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from dlcore.cli.options import block_of, make_host, plugin_option, set_option

EPILOG = """\b
Examples:
  dlcore export runs/first --format onnx
  dlcore predict runs/first mouse.mp4 --backend onnxruntime
  dlcore export runs/first --format torch_export --snapshot 100 --output mouse.pt2
  dlcore export runs/first --size 640x480 --images frames/
"""


def _size(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """`WxH` as numbers."""
    if value is None:
        return None
    try:
        width, height = map(int, value.lower().split("x"))
    except ValueError:
        width, height = 0, 0
    if min(width, height) < 1:
        raise click.BadParameter(f"{value!r} is not like 640x480 (width x height)", ctx, param)
    return width, height


@click.command("export", epilog=EPILOG)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    metavar="NAME",
    default="onnx",
    show_default=True,
    help="Kind of file: onnx, torch_export, or what else `dlcore list exporters` shows; or a block "
    "with options, as in '{type: onnx, opset: 18}'.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where it goes. Default: into the folder of the run, called like the snapshot; `predict` "
    "finds it there.",
)
@click.option(
    "--snapshot", metavar="WHICH", help="best, last, an epoch or a file. Default: best, else last."
)
@click.option(
    "--decode/--no-decode",
    default=True,
    show_default=True,
    help="Whether the file gives coordinates, where it can, or the maps of the heads.",
)
@click.option(
    "--size",
    metavar="WxH",
    callback=_size,
    help="Only for images of this size. Default: any, if the model takes any.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    multiple=True,
    help="Image, or folder of images, to check the file with. May be repeated. Default: some of "
    "those that the run was trained on.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=0.01,
    show_default=True,
    help="Largest difference of a coordinate from that of torch, in pixels.",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists. Default: keep it.")
@set_option
@plugin_option
def export_command(
    run: Path,
    format_: str,
    output: Path | None,
    snapshot: str | None,
    decode: bool,
    size: tuple[int, int] | None,
    images: tuple[Path, ...],
    tolerance: float,
    overwrite: bool,
    overrides: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Write the pose network of RUN to a file that other programs run.

    Bytes go in, coordinates come out: normalisation is part of the file, and so is decoding where
    it can be. What the file computes is compared with what torch computes, on random and on real
    images; a file that differs is not left. A JSON file beside it tells what goes in and comes out.
    """
    host = make_host(plugins)
    from dlcore.cli.train import log_to_terminal
    from dlcore.inference.export.job import ExportOptions, export_run
    from dlcore.inference.trained_run import TrainedRun

    log_to_terminal()
    report = export_run(
        TrainedRun.open(run, host, overrides),
        ExportOptions(
            format=block_of(format_, "--format"),
            output=output,
            snapshot=snapshot,
            decode=decode,
            size=size,
            images=images,
            tolerance=tolerance,
            overwrite=overwrite,
        ),
    )
    if report.kept:
        click.echo(f"kept: {report.path} exists already; --overwrite replaces it", err=True)
        return
    click.echo(f"written: {report.path}")
    click.echo(f"written: {report.json_path}")
