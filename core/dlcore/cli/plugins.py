"""`dlcore plugins`: which plugins there are, and whether one of them keeps its promises."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from dlcore.cli.options import warn_of_misspelt
from dlcore.cli.text import table
from dlcore.errors import DlcoreError, PluginError
from dlcore.hookspecs import singular
from dlcore.plugin_host import DISABLE_VARIABLE, PluginHost
from dlcore.registry import Entry

EPILOG = """\b
Examples:
  dlcore plugins
  dlcore plugins check heatmap
  dlcore plugins check my_plugin.py
"""


@click.group("plugins", epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def plugins_command(ctx: click.Context) -> None:
    """List the installed plugins, also those that are broken or disabled."""
    if ctx.invoked_subcommand is None:
        rows = [("name", "distribution", "version", "components", "state")]
        host = PluginHost.from_entry_points()
        warn_of_misspelt(host)
        rows += sorted(_rows(host))
        click.echo("\n".join(table(rows, indent="")))


def _rows(host: PluginHost) -> Iterator[tuple[str, str, str, str, str]]:
    for info in host.plugins.values():
        count = str(len(_offers(host, info.name)))
        yield info.name, info.distribution or "", info.version or "", count, "ok"
    for failure in host.failures:
        reason = " ".join(failure.reason.split())
        yield failure.name, failure.distribution, "", "", f"broken: {reason}"
    for name in host.disabled:
        yield name, "", "", "", f"disabled by {DISABLE_VARIABLE}"


def _offers(host: PluginHost, plugin: str) -> list[tuple[str, Entry]]:
    return [
        (kind, entry)
        for kind, registry in host.registries.items()
        for entry in registry
        if entry.plugin == plugin
    ]


@plugins_command.command("check")
@click.argument("plugin", metavar="NAME|FILE")
@click.pass_context
def check_command(ctx: click.Context, plugin: str) -> None:
    """Load every component of one plugin and check what it promises.

    NAME is an installed plugin, FILE a Python file with an unpackaged one.
    """
    host = PluginHost.from_entry_points()
    name = _find(host, plugin)
    info = host.plugins[name]
    source = " ".join(part for part in (info.distribution, info.version) if part)
    click.echo(f"{name}, from {source or info.location}")
    offers = _offers(host, name)
    num_failed = 0
    for kind, entry in offers:
        faults = list(_faults(kind, entry))
        click.echo(f"  {'failed' if faults else 'ok':6}  {singular(kind)} {entry.name}")
        for fault in faults:
            click.echo("\n".join(f"          {line.strip()}" for line in fault.splitlines()))
        num_failed += bool(faults)
    plural = "component" if len(offers) == 1 else "components"
    click.echo(f"{len(offers)} {plural}, {num_failed or 'none'} failed")
    if num_failed:
        ctx.exit(1)


def _find(host: PluginHost, plugin: str) -> str:
    """The name under which the host knows the plugin.

    Raises:
        PluginError: If it is not there, disabled or broken.
    """
    if plugin.endswith(".py") or Path(plugin).is_file():
        host.add_file(Path(plugin))
        return Path(plugin).stem
    if plugin in host.plugins:
        return plugin
    for failure in host.failures:
        if failure.name == plugin:
            raise PluginError(
                f"plugin {plugin!r} from {failure.distribution} is broken: {failure.reason}"
            )
    if plugin in host.disabled:
        raise PluginError(f"plugin {plugin!r} is disabled by {DISABLE_VARIABLE}")
    near = difflib.get_close_matches(plugin, host.plugins, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(sorted(host.plugins))}"
    raise PluginError(f"no plugin named {plugin!r} is installed; {hint}")


def _faults(kind: str, entry: Entry) -> Iterator[str]:
    """What is wrong with a component, one message each."""
    from dlcore.config.options import read_options
    from dlcore.testing.contracts import check_component  # imports torch

    if not entry.component.summary.endswith("."):
        yield "the summary must be a sentence that ends with a full stop"
    try:
        check_component(kind, entry.component.load())
    except (DlcoreError, AssertionError) as error:
        yield str(error)
        return
    try:
        for option in read_options(entry.component).options.values():
            option.adapter.json_schema()
    except Exception as error:  # noqa: BLE001  an annotation may hold anything
        yield f"the options cannot be read: {type(error).__name__}: {error}"
