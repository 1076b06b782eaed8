"""`dlcore report`: one page about a run, to be kept, sent and printed."""

from __future__ import annotations

from pathlib import Path

import click

from dlcore.cli.completing import run_folders
from dlcore.runs.report.writing import write_report

EPILOG = """\b
Examples:
  dlcore report runs/first
  dlcore report runs/first runs/second
  dlcore report runs/first --output first.html --open
"""


@click.command("report", epilog=EPILOG)
@click.argument(
    "folders",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=run_folders,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where to write it. Default: report.html in the run's folder.",
)
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def report_command(folders: tuple[Path, ...], output: Path | None, show: bool) -> None:
    """Write one page about each RUN: learning curves, errors, pictures, timing, configuration.

    RUN is the folder of a run. The page is a single file that needs neither the network nor other
    files. `dlcore train` and `dlcore evaluate` write it as well.
    """
    if output is not None and len(folders) > 1:
        raise click.UsageError("--output is for one RUN; leave it out, or name one")
    for folder in folders:
        path = write_report(folder, output)
        click.echo(f"written: {path}")
        if show:
            click.launch(path.resolve().as_uri())
