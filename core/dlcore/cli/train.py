"""`dlcore train`: train what a config describes."""

from __future__ import annotations

import logging
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from tqdm import tqdm

from dlcore.cli.options import make_host, plugin_option, set_option

if TYPE_CHECKING:
    from dlcore.engine.request import RunRequest

EPILOG = """\b
Examples:
  dlcore train my_project/dlc-models-pytorch/iteration-0/.../train/pytorch_config.yaml
  dlcore train run.yaml --output runs/first --set train_settings.epochs=50
  dlcore train run.yaml --output runs/first --resume
  dlcore train run.yaml --output runs/second --init-from runs/first/snapshot-best-040.pt
  dlcore train run.yaml --output runs/third --nproc 4
  torchrun --nproc_per_node 4 -m dlcore train run.yaml --output runs/third
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
@click.option(
    "--nproc",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train in N processes, each on a GPU of its own where there are GPUs. Default: one for "
    "each of `runner.gpus`.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Measure where the time goes: in the log, the loggers and profile.png, with advice.",
)
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
    nproc: int | None,
    profile: bool,
    overwrite: bool,
    plugins: tuple[Path, ...],
) -> int:
    """Train the model that FILE, a pytorch_config.yaml, describes.

    Before the first epoch everything is built and one step is tried, so that mistakes show now.
    Ctrl-C saves and leaves; --resume carries on exactly where it was. At the end `report.html` in
    the folder of the run tells about it.
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
    from dlcore.engine.devices import number_of_processes
    from dlcore.engine.distributed import world_here
    from dlcore.engine.request import RunRequest
    from dlcore.engine.run import train
    from dlcore.runs.report.writing import refresh_report

    request = RunRequest(
        output=output or file.parent,
        resume=False if resume is None else (Path(resume) if resume else True),
        init_from=init_from,
        device=device,
        overwrite=overwrite,
        stage=stage,
        detector_snapshot=detector_snapshot,
        profile=profile,
    )
    again = _arguments(file, request, overrides, plugins)
    world = world_here()
    if world.size == 1:
        count = nproc or number_of_processes(device or loaded.config.device, loaded.config.runner)
        if count > 1:
            return _train_in_processes(count, again, request, overwrite=overwrite)
    if world.is_first:
        log_to_terminal()
    try:
        train(loaded, host, request)
    except KeyboardInterrupt:
        if world.is_first and any(request.output.glob("resume*.pt")):
            refresh_report(request.output)
            more = ["--nproc", str(nproc)] if nproc is not None else []
            command = shlex.join(["dlcore", *again, *more, "--resume"])
            click.echo(f"\nto go on: {command}", err=True)
        raise
    if world.is_first:
        refresh_report(request.output)
    return 0


def _arguments(
    file: Path, request: RunRequest, overrides: tuple[str, ...], plugins: tuple[Path, ...]
) -> list[str]:
    """What was typed after `dlcore`, but for where the run starts from."""
    arguments = ["train", str(file), "--output", str(request.output)]
    for override in overrides:
        arguments += ["--set", override]
    for plugin in plugins:
        arguments += ["--plugin", str(plugin)]
    options = (
        ("--device", request.device),
        ("--stage", request.stage),
        ("--detector-snapshot", request.detector_snapshot),
    )
    for option, value in options:
        arguments += [option, str(value)] if value else []
    return [*arguments, "--profile"] if request.profile else arguments


def _train_in_processes(
    count: int, arguments: list[str], request: RunRequest, *, overwrite: bool
) -> int:
    from dlcore.engine.launch import launch

    more = ["--overwrite"] if overwrite else []
    if request.init_from is not None:
        more += ["--init-from", str(request.init_from)]
    if request.resume:
        more += ["--resume", *([] if request.resume is True else [str(request.resume)])]
    return launch(count, [*arguments, "--nproc", str(count), *more])


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
