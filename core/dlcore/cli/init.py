"""`dlcore init`: write a config for labelled data."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import dlcore
from dlcore.cli.completing import detectors, net_types
from dlcore.cli.default_net_type import default_net_type
from dlcore.cli.detector_choice import choose_detector
from dlcore.cli.options import make_host, plugin_option, set_option
from dlcore.cli.text import table
from dlcore.errors import ConfigError, DlcoreError, UnknownComponentError
from dlcore.plugin_host import PluginHost

if TYPE_CHECKING:
    from dlcore.config.schema import RunConfig
    from dlcore.interfaces import NetType, PoseDataset

FILE_NAME = "pytorch_config.yaml"

EPILOG = """\b
Examples:
  dlcore init my_project --net-type resnet_50
  dlcore init my_project --shuffle 2 --net-type resnet_50 --output runs/second
  dlcore init coco_folder --net-type resnet_50 --output runs/first
  dlcore init my_project --net-type rtmpose_s --detector fasterrcnn_resnet50_fpn_v2
"""


@click.command("init", epilog=EPILOG)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--net-type",
    metavar="NAME",
    shell_complete=net_types,
    help="The architecture; see `dlcore list net-types`. Default: one that fits this machine.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Folder for {FILE_NAME}. Default: where the data keep it, if they do.",
)
@click.option("--shuffle", type=int, help="Shuffle of a DeepLabCut project. Default: 1.")
@click.option(
    "--detector",
    metavar="NAME",
    shell_complete=detectors,
    help="Another detector for a top-down net type; see `dlcore list detectors`. A variant of one, "
    "such as fasterrcnn_resnet50_fpn_v2, will do.",
)
@click.option("--force", is_flag=True, help="Replace a config that is already there.")
@set_option
@plugin_option
def init_command(
    source: Path,
    net_type: str | None,
    output: Path | None,
    shuffle: int | None,
    detector: str | None,
    force: bool,
    overrides: tuple[str, ...],
    plugins: tuple[Path, ...],
) -> None:
    """Write a config for the labelled data in SOURCE.

    SOURCE is a DeepLabCut project or its config.yaml, a folder with COCO annotations, or whatever
    else an installed plugin reads. The data are read and the config is checked before it is
    written.
    """
    host = make_host(plugins)
    net_type = net_type or _default_net_type(host)
    architecture = _net_type(host, net_type)
    from dlcore.building import build
    from dlcore.cli.train import log_to_terminal
    from dlcore.engine.sources import block_of_source
    from dlcore.interfaces import DatasetContext

    log_to_terminal()
    block = block_of_source(source, host, {} if shuffle is None else {"shuffle": shuffle})
    dataset: PoseDataset = build(host, "datasets", block, DatasetContext(), key="dataset")
    path = _target(dataset, output, force)
    counts = _describe(dataset)
    own_place = dataset.config_path()
    values = _config_values(
        architecture.config(dataset.task),
        dataset,
        source=source,
        path=path,
        block=None if own_place is not None and _same(own_place, path) else block,
    )
    if detector is not None:
        choose_detector(values, detector, host)
    _override(values, overrides)
    config = _write_checked(path, _config_text(values), host, net_type, bool(overrides))
    click.echo(f"wrote {path}\n{counts}")
    for line in _remarks(config):
        click.echo(line)
    click.echo(f"next: dlcore train {shlex.quote(str(path))}")


def _default_net_type(host: PluginHost) -> str:
    choice = default_net_type(host)
    if choice is None:
        raise click.UsageError(f"choose an architecture with --net-type:\n{_choices(host)}")
    click.echo(choice.announcement)
    return choice.name


def _choices(host: PluginHost) -> str:
    registry = host.registries["net_types"]
    rows = [
        [written, entry.component.summary]
        for written, entry in zip(registry.names(), registry, strict=True)
    ]
    return "\n".join(table(rows)) or "  none: no installed plugin offers one"


def _net_type(host: PluginHost, name: str) -> NetType:
    try:
        entry = host.find("net_types", name)
    except UnknownComponentError as error:
        hint = str(error).partition("\n  known net types")[0]
        raise DlcoreError(f"{hint}\nnet types:\n{_choices(host)}") from error
    net_type: NetType = entry.component.load()()
    return net_type


def _target(dataset: PoseDataset, output: Path | None, force: bool) -> Path:
    path = output / FILE_NAME if output is not None else dataset.config_path()
    if path is None:
        raise DlcoreError(
            "these data have no place of their own for a config; name a folder with --output"
        )
    if path.exists() and not force:
        raise DlcoreError(
            f"{str(path)!r} is already there; write elsewhere with --output, or replace it with "
            f"--force"
        )
    return path


def _describe(dataset: PoseDataset) -> str:
    """How much data there is, after reading all of it."""
    task = dataset.task
    splits = ["train", *(split for split in dataset.splits() if split != "train")]
    images = [f"{len(dataset.records(split))} {split} images" for split in splits]
    unique = f" and {len(task.unique_keypoints)} unique ones" if task.unique_keypoints else ""
    return (
        f"data: {', '.join(images)}; {task.num_keypoints} bodyparts{unique}; "
        f"at most {task.num_individuals} individual(s)"
    )


def _config_values(
    architecture: Mapping[str, Any],
    dataset: PoseDataset,
    *,
    source: Path,
    path: Path,
    block: Mapping[str, Any] | None,
) -> dict[str, Any]:
    from dlcore.engine.template import new_config

    folder = source if source.is_dir() else source.parent
    return new_config(
        architecture,
        dataset.task,
        project_path=str(folder.resolve()),
        config_path=str(path.resolve()),
        dataset=block,
    )


def _override(values: dict[str, Any], overrides: Sequence[str]) -> None:
    from dlcore.config.overrides import apply

    for override in overrides:
        apply(values, override)


def _config_text(values: Mapping[str, Any]) -> str:
    from dlcore.engine.template import config_text

    header = (
        f"Written by `dlcore init` of dlcore {dlcore.__version__}. "
        f"To see every key and its value:\n"
        f"  dlcore explain {shlex.quote(FILE_NAME)}"
    )
    return config_text(values, header)


def _write_checked(
    path: Path, text: str, host: PluginHost, net_type: str, overridden: bool
) -> RunConfig:
    """Put the file in place once it is known to be right."""
    from dlcore.config.loading import load_config

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        try:
            config = load_config(draft, host).config
        except ConfigError as error:
            problems = "\n".join(
                f"  {problem.key}: {problem.message}" for problem in error.problems
            )
            changed = " with what --set changes" if overridden else ""
            raise DlcoreError(
                f"net type {net_type!r}{changed} gives a config that is not right, so nothing was "
                f"written:\n{problems}"
            ) from error
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return config


def _remarks(config: RunConfig) -> Iterator[str]:
    """What else there is to know about an approach."""
    if config.method == "td" and config.detector is not None:
        detector = config.detector
        name = detector.model.get("variant") or detector.model["type"]
        yield (
            f"detector: {name}, trained first, for {detector.train_settings.epochs} epochs; "
            f"--detector NAME takes another of `dlcore list detectors`"
        )
    if config.method == "ctd" and not config.inference.conditions:
        yield (
            "conditions: training makes rough poses from the labels; for predictions, say under "
            "inference.conditions where they come from:\n"
            "  {config_path: FILE, snapshot_path: FILE} of a trained run, or {filepath: FILE} with "
            "poses (.h5, .json)"
        )


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
