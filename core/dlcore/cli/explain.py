"""`dlcore explain`: what each value of a config is, and where it comes from."""

from __future__ import annotations

from pathlib import Path

import click

from dlcore.cli.options import make_host, plugin_option, set_option
from dlcore.cli.text import as_yaml, paragraph
from dlcore.config.explain import Explanation, explain
from dlcore.config.loading import Provenance, load_config

EPILOG = """\b
Examples:
  dlcore explain run.yaml
  dlcore explain run.yaml runner.optimizer
  dlcore explain run.yaml train_settings.epochs --set train_settings.epochs=50
"""


@click.command("explain", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("key", required=False)
@set_option
@plugin_option
def explain_command(
    file: Path, key: str | None, overrides: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Tell where each value of FILE, a pytorch_config.yaml, comes from.

    That is a line of the file, a --set, the net type, or a default. With KEY, such as
    runner.optimizer, only the values at and below it are told, with what they mean.
    """
    host = make_host(plugins)
    loaded = load_config(file, host, overrides)
    for item in explain(loaded, host, key):
        click.echo(f"{_source(item.provenance):9} {item.key} = {as_yaml(item.value)}")
        if key is not None:
            for line in paragraph(_meaning(item), " " * 10):
                click.echo(line)


def _source(provenance: Provenance) -> str:
    if provenance.source == "file":
        return "file" if provenance.line is None else f"line {provenance.line}"
    return {"set": "--set", "net_type": "net type", "default": "default"}[provenance.source]


def _meaning(item: Explanation) -> str:
    if item.component is None:
        return item.description
    return f"{item.description} (option of {item.component})".strip()
