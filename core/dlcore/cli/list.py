"""`dlcore list`: what is installed, and what is broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dlcore.cli.completing import kinds as kinds_of_components
from dlcore.cli.net_types import HEADER, LEGEND, read_figures
from dlcore.cli.options import convert_kinds, make_host, plugin_option
from dlcore.cli.text import table
from dlcore.hookspecs import KINDS
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

NET_TYPES = "net_types"

EPILOG = """\b
Examples:
  dlcore list
  dlcore list heads target-generators
  dlcore list net-types
  dlcore list --json
  dlcore list --plugin my_plugin.py heads
"""


@click.command("list", epilog=EPILOG)
@click.argument(
    "kinds",
    nargs=-1,
    metavar="[KIND]...",
    callback=convert_kinds,
    shell_complete=kinds_of_components,
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON, for other programs.")
@click.option("--verbose", "-v", is_flag=True, help="Add the import target and the distribution.")
@plugin_option
def list_command(
    kinds: tuple[str, ...], as_json: bool, verbose: bool, plugins: tuple[Path, ...]
) -> None:
    """List the installed components: name, plugin, summary.

    KIND is a kind of component, such as heads or scheduler; without it all kinds are listed. Net
    types also say how they find individuals and what they cost.
    Plugins that failed to load are told on stderr; the rest is still listed.
    """
    host = make_host(plugins)
    if as_json:
        click.echo(json.dumps(_as_json(host, kinds or KINDS), indent=2))
        return
    for number, kind in enumerate(kinds or KINDS):
        if number:
            click.echo()
        _print_kind(host, kind, verbose)


def _print_kind(host: PluginHost, kind: str, verbose: bool) -> None:
    registry = host.registries[kind]
    entries = list(registry)
    click.echo(f"{kind} ({len(entries)})")
    rows = [_row(kind, *item) for item in zip(registry.names(), entries, strict=True)]
    if kind == NET_TYPES and rows:
        header, *texts = table([[*HEADER, "plugin", ""], *rows])
        click.echo(header)
    else:
        texts = table(rows)
    for text, entry in zip(texts, entries, strict=True):
        click.echo(text)
        if verbose:
            info = host.plugins[entry.plugin]
            source = " ".join(part for part in (info.distribution, info.version) if part)
            click.echo(f"      {entry.component.target}, from {source or info.location}")
    if kind == NET_TYPES and rows:
        click.echo("\n".join(["", *(f"  {line}" for line in LEGEND)]))


def _row(kind: str, written: str, entry: Entry) -> list[str]:
    figures = read_figures(entry.component).cells() if kind == NET_TYPES else []
    return [written, *figures, entry.plugin, entry.component.summary]


def _as_json(host: PluginHost, kinds: Sequence[str]) -> dict[str, Any]:
    components = []
    for kind in kinds:
        registry = host.registries[kind]
        for written, entry in zip(registry.names(), registry, strict=True):
            info = host.plugins[entry.plugin]
            components.append(
                {
                    "kind": kind,
                    "name": entry.name,
                    "type": written,
                    "plugin": entry.plugin,
                    "summary": entry.component.summary,
                    "target": entry.component.target,
                    "distribution": info.distribution,
                    "version": info.version,
                    **(read_figures(entry.component).values() if kind == NET_TYPES else {}),
                }
            )
    return {
        "components": components,
        "failures": [asdict(failure) for failure in host.failures],
        "disabled": host.disabled,
    }
