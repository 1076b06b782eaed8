"""`dlcore preview`: look at the images that a network is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from dlcore.cli.options import make_host, plugin_option, set_option

EPILOG = """\b
Examples:
  dlcore preview run.yaml
  dlcore preview run.yaml --set data.train.affine.rotation=180 --count 6
  dlcore preview top_down.yaml --stage detector --output boxes.png
  dlcore preview run.yaml --split test
"""


@click.command("preview", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--stage",
    type=click.Choice(["detector", "pose"]),
    default="pose",
    show_default=True,
    help="The model of a top-down run whose images are shown.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    default="train",
    show_default=True,
    help="Training images as augmented, or those that the model is evaluated on.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 100),
    default=12,
    show_default=True,
    help="How many images.",
)
@click.option(
    "--epoch",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="From which epoch on; each draws other augmentations.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("preview.png"),
    show_default=True,
    help="The picture to write: .png, .jpg or .webp.",
)
@set_option
@plugin_option
def preview_command(
    file: Path,
    stage: Literal["detector", "pose"],
    split: Literal["train", "test"],
    count: int,
    epoch: int,
    output: Path,
    overrides: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Draw images of FILE's data as the network gets them.

    They are augmented, resized and, for top-down pose models, cropped, with their labels: keypoints
    as rings, boxes in green, and the rough poses of conditional models as crosses. A training draws
    the same ones.
    """
    from dlcore.config.loading import load_config

    host = make_host(plugins)
    loaded = load_config(file, host, overrides)
    from dlcore.cli.train import log_to_terminal
    from dlcore.engine.preview import FORMATS, draw_preview, write_picture
    from dlcore.engine.stages import stage_named

    if stage == "detector" and loaded.config.detector is None:
        raise loaded.problem("detector", "there is none; leave --stage out")
    if output.suffix.lower() not in FORMATS:
        raise click.BadParameter(
            f"{str(output)!r} must end in one of {', '.join(FORMATS)}", param_hint="--output"
        )
    log_to_terminal()
    picture = draw_preview(
        loaded,
        host,
        stage_named(loaded.config, stage),
        train=split == "train",
        count=count,
        epoch=epoch,
    )
    write_picture(output, picture)
    click.echo(output)
