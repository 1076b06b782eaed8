"""Options that several commands share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import click

from dlcore.hookspecs import KINDS, singular
from dlcore.plugin_host import DISABLE_VARIABLE, PluginHost

plugin_option = click.option(
    "--plugin",
    "plugins",
    type=click.Path(path_type=Path),
    metavar="FILE",
    multiple=True,
    help="Load an unpackaged plugin from a Python file. May be repeated.",
)
"""`--plugin FILE`, as the parameter `plugins: tuple[Path, ...]`."""

set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override one key of the config, as in runner.optimizer.params.lr=1e-4. May be repeated.",
)
"""`--set KEY=VALUE`, as the parameter `overrides: tuple[str, ...]`."""


def make_host(plugins: Iterable[Path] = ()) -> PluginHost:
    """The installed plugins and those in the given files; the broken ones are announced on stderr.

    Raises:
        PluginError: If one of the files cannot be loaded: who names a file wants it.
    """
    host = PluginHost.from_entry_points()
    warn_of_failures(host)
    for path in plugins:
        host.add_file(path)
    return host


def warn_of_failures(host: PluginHost) -> None:
    """Tell on stderr which plugins were skipped, and why, and which could not be."""
    warn_of_misspelt(host)
    for failure in host.failures:
        click.echo(
            f"warning: plugin {failure.name!r} from {failure.distribution} was skipped: "
            f"{failure.reason}",
            err=True,
        )


def warn_of_misspelt(host: PluginHost) -> None:
    """Tell on stderr which names in `DLCORE_DISABLE_PLUGINS` no plugin has."""
    for name, near in host.not_disabled.items():
        hint = f"; did you mean {near!r}?" if near else ""
        click.echo(
            f"warning: {DISABLE_VARIABLE}: no plugin named {name!r} is installed{hint}", err=True
        )


def convert_kinds(
    ctx: click.Context, param: click.Parameter, values: Iterable[str]
) -> tuple[str, ...]:
    """Kinds in any common spelling ("heads", "head", "target-generator") as in `KINDS`.

    A callback of a click argument.
    """
    spellings = {kind: kind for kind in KINDS}
    spellings |= {singular(kind).replace(" ", "_"): kind for kind in KINDS}
    kinds = []
    for value in values:
        wanted = value.strip().lower().replace("-", "_").replace(" ", "_")
        if wanted not in spellings:
            near = difflib.get_close_matches(wanted, spellings, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(KINDS)}"
            raise click.BadParameter(f"there is no kind {value!r}; {hint}", ctx, param)
        kinds.append(spellings[wanted])
    return tuple(kinds)
