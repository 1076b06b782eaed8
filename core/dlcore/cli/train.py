"""`dlcore train`: train what a config describes."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import Literal

import click
from tqdm import tqdm

from dlcore.cli.options import make_host, plugin_option, set_option

EPILOG = """\b
Examples:
  dlcore train my_project/dlc-models-pytorch/iteration-0/.../train/pytorch_config.yaml
  dlcore train run.yaml --output runs/first --set train_settings.epochs=50
  dlcore train run.yaml --output runs/first --resume
  dlcore train run.yaml --output runs/second --init-from runs/first/snapshot-best-040.pt
"""


@click.command("train", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the run. Default: the folder of FILE.",
)
@set_option
@click.option(
    "--resume",
    is_flag=False,
    flag_value="",
    metavar="[SNAPSHOT]",
    help="Carry on the run in the output folder, from its latest state or from SNAPSHOT.",
)
@click.option(
    "--init-from",
    type=click.Path(path_type=Path),
    metavar="SNAPSHOT",
    help="Start a new run from the weights of SNAPSHOT; heads are matched by keypoint name.",
)
@click.option(
    "--stage",
    type=click.Choice(["detector", "pose"]),
    help="Train only this stage of a top-down model.",
)
@click.option(
    "--detector-snapshot",
    type=click.Path(path_type=Path),
    metavar="SNAPSHOT",
    help="Take this trained detector for a top-down model, and train only the pose model.",
)
@click.option("--device", help="auto, cpu, cuda, cuda:1, mps. Default: `device` of FILE.")
@click.option("--overwrite", is_flag=True, help="Move a former run in the output folder aside.")
@plugin_option
def train_command(
    file: Path,
    output: Path | None,
    overrides: tuple[str, ...],
    resume: str | None,
    init_from: Path | None,
    stage: Literal["detector", "pose"] | None,
    detector_snapshot: Path | None,
    device: str | None,
    overwrite: bool,
    plugins: tuple[Path, ...],
) -> None:
    """Train the model that FILE, a pytorch_config.yaml, describes.

    Before the first epoch everything is built and one step is tried, so that mistakes show now.
    Ctrl-C saves and leaves; --resume carries on exactly where it was.
    """
    if resume is not None and init_from is not None:
        raise click.UsageError(
            "--resume carries on a run, --init-from starts a new one; give one of them"
        )
    if detector_snapshot is not None and stage == "detector":
        raise click.UsageError(
            "--detector-snapshot brings a trained detector, --stage detector trains one; "
            "give one of them"
        )
    from dlcore.config.loading import load_config
    from dlcore.engine.former_plugins import expect_plugins_of

    host = make_host(plugins)
    expect_plugins_of(host, Path(resume) if resume else output or file.parent)
    loaded = load_config(file, host, overrides)
    from dlcore.engine.request import RunRequest
    from dlcore.engine.run import train

    log_to_terminal()
    request = RunRequest(
        output=output or file.parent,
        resume=False if resume is None else (Path(resume) if resume else True),
        init_from=init_from,
        device=device,
        overwrite=overwrite,
        stage=stage,
        detector_snapshot=detector_snapshot,
    )
    try:
        train(loaded, host, request)
    except KeyboardInterrupt:
        if any(request.output.glob("resume*.pt")):
            command = ["dlcore", "train", str(file), "--output", str(request.output)]
            for override in overrides:
                command += ["--set", override]
            for plugin in plugins:
                command += ["--plugin", str(plugin)]
            options = (
                ("--device", device),
                ("--stage", stage),
                ("--detector-snapshot", detector_snapshot),
            )
            for option, value in options:
                command += [option, str(value)] if value else []
            click.echo(f"\nto go on: {shlex.join([*command, '--resume'])}", err=True)
        raise


class _TerminalHandler(logging.Handler):
    """Writes to stderr without tearing a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        tqdm.write(prefix + self.format(record), file=sys.stderr)


def log_to_terminal() -> None:
    """Show on the terminal what the engine says."""
    logger = logging.getLogger("dlcore")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _TerminalHandler) for handler in logger.handlers):
        logger.addHandler(_TerminalHandler())
