"""`dlcore schema`: the JSON Schema of configs, with which editors complete and check them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dlcore.cli.options import make_host, plugin_option
from dlcore.config.json_schema import json_schema

EPILOG = """\b
Examples:
  dlcore schema --output dlcore.schema.json
"""


@click.command("schema", epilog=EPILOG)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write. Default: standard output.",
)
@plugin_option
def schema_command(output: Path | None, plugins: tuple[Path, ...]) -> None:
    """Write the JSON Schema of pytorch_config.yaml.

    It holds every key and the options of every installed component. Most editors complete and
    check a config that begins with the line "# yaml-language-server: $schema=FILE".
    """
    text = json.dumps(json_schema(make_host(plugins)), indent=2)
    if output is None:
        click.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        click.echo(f"wrote {output}")
