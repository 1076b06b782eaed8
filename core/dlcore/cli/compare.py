"""`dlcore compare`: what differs between runs, and which is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dlcore.cli.completing import run_folders
from dlcore.cli.options import make_host, plugin_option
from dlcore.cli.text import as_yaml, paragraph, table
from dlcore.errors import DlcoreError
from dlcore.runs.comparison import (
    ABSENT,
    differences,
    figures,
    full_config,
    short_names,
    stages_of_any,
)
from dlcore.runs.picture import FORMATS, draw_comparison
from dlcore.runs.record import RunRecord, open_run
from dlcore.runs.state import state_of

EPILOG = """\b
Examples:
  dlcore compare runs/first runs/second
  dlcore compare runs/first runs/second --output rmse.png --metric test.rmse
"""

_OTHER_METHODS = (
    "These are the metrics of the training, where top-down and conditional models (td, ctd) are "
    "evaluated in the true boxes. To judge runs of different methods use `dlcore evaluate`."
)
_WIDEST = 48
_BEFORE = 12


@click.command("compare", epilog=EPILOG)
@click.argument(
    "folders",
    metavar="RUN RUN...",
    nargs=-1,
    type=click.Path(path_type=Path),
    shell_complete=run_folders,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the learning curves of all runs there, as .png, .pdf or .svg.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="Draw only this one, such as test.rmse. Default: losses and key metrics.",
)
@plugin_option
def compare_command(
    folders: tuple[Path, ...],
    output: Path | None,
    metric: str | None,
    plugins: tuple[Path, ...],
) -> None:
    """Compare trained runs: what differs in their configs, and what they came to.

    Each RUN is the folder of a run of dlcore or DeepLabCut. Metrics are those of its best epoch.
    """
    if len({folder.resolve() for folder in folders}) < 2:
        raise click.UsageError("name at least two runs; `dlcore runs FOLDER` lists them")
    if metric is not None and output is None:
        raise click.UsageError("--metric chooses what is drawn; say where with --output FILE")
    if output is not None and output.suffix.lstrip(".").lower() not in FORMATS:
        raise click.BadParameter(f"must end with .{', .'.join(FORMATS)}", param_hint="--output")
    runs = {folder.resolve(): open_run(folder) for folder in folders}
    records = list(runs.values())
    names = short_names(list(runs))
    for record in records:
        for problem in record.problems:
            click.echo(f"warning: {problem}", err=True)
    configs = _configs(records, plugins)
    for number, lines in enumerate(_sections(records, names, configs)):
        click.echo("\n".join(["", *lines] if number else lines))
    if output is not None:
        draw_comparison(dict(zip(names, records, strict=True)), output, metric)
        click.echo(f"\nwritten: {output}")


def _configs(records: Sequence[RunRecord], plugins: Sequence[Path]) -> list[dict[str, Any]]:
    """The configs with their defaults, where these can be had."""
    if all(record.has_defaults for record in records):
        return [record.values for record in records]
    host = make_host(plugins)
    configs = []
    for record in records:
        try:
            configs.append(full_config(record, host))
        except DlcoreError as error:
            click.echo(f"warning: compared without its defaults: {error}", err=True)
            configs.append(record.values)
    return configs


def _sections(
    records: Sequence[RunRecord], names: Sequence[str], configs: Sequence[Mapping[str, Any]]
) -> Iterator[list[str]]:
    different = differences(configs)
    if different:
        rows = [[key, *_shown(values)] for key, values in different.items()]
        yield table([["config", *names], *rows], indent="")
    else:
        yield ["The configs are the same."]
    for stage in stages_of_any(records):
        rows = [[name, *texts] for name, texts in figures(records, stage).items()]
        yield table([[stage, *names], *rows], indent="")
    yield table([["state", *(state_of(record).name for record in records)]], indent="")
    if len({record.method for record in records}) > 1:
        yield paragraph(_OTHER_METHODS)


def _shown(values: Sequence[Any]) -> list[str]:
    """Values in one short line each, such that it is seen how they differ."""
    texts = [_text(value) for value in values]
    start = 0
    if min(map(len, texts)) > _WIDEST:
        characters = zip(*texts, strict=False)
        start = next((i for i, found in enumerate(characters) if len(set(found)) > 1), 0)
        start = max(start - _BEFORE, 0)
    return [_cut(text, start) for text in texts]


def _text(value: Any) -> str:
    if value is ABSENT:
        return "-"
    if isinstance(value, Mapping):
        return str(value["type"]) if "type" in value else f"{len(value)} keys"
    return value if isinstance(value, str) else as_yaml(value)


def _cut(text: str, start: int) -> str:
    text = f"...{text[start:]}" if start else text
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
