"""What the shell offers behind an argument: components, net types, runs.

These are given as `shell_complete` to arguments and options of click. They never fail: a shell that
waits for a completion has no place for an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from dlcore.errors import DlcoreError
from dlcore.hookspecs import KINDS, singular
from dlcore.plugin_host import PluginHost

_SECONDS_TO_LOOK = 0.3
"""For runs: whoever presses a key does not wait for a whole disk."""


def component_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Components of every kind, those of the plugin files on the command line too."""
    return list(_components(ctx, KINDS, incomplete))


def net_types(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Net types."""
    return list(_components(ctx, ("net_types",), incomplete))


def detectors(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Detectors."""
    return list(_components(ctx, ("detectors",), incomplete))


def kinds(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Kinds of components, as they are typed."""
    names = [kind.replace("_", "-") for kind in KINDS]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def run_folders(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Folders of runs below the folder that was typed; other folders where there are none."""
    from dlcore.runs.finding import find_runs

    typed, slash, _ = incomplete.rpartition("/")
    base = Path(typed + slash)
    found = []
    for run in find_runs(base, seconds=_SECONDS_TO_LOOK) if base.is_dir() else []:
        name = f"{typed}{slash}{run.relative_to(base).as_posix()}"
        if run != base and name.startswith(incomplete):
            found.append(CompletionItem(name))
    return [CompletionItem(incomplete, type="dir"), *found]  # shells forget what is before a "dir"


def _components(
    ctx: click.Context, kinds: tuple[str, ...], incomplete: str
) -> Iterator[CompletionItem]:
    host = PluginHost.from_entry_points()
    for path in ctx.params.get("plugins") or ():
        try:
            host.add_file(path)
        except DlcoreError:
            continue
    seen = set()
    for kind in kinds:
        registry = host.registries[kind]
        for name, entry in zip(registry.names(), registry, strict=True):
            for written in (name, entry.qualified_name):
                wanted = written.startswith(incomplete) and ("/" in incomplete or written == name)
                if wanted and written not in seen:
                    seen.add(written)
                    what = entry.component.summary or singular(kind)
                    yield CompletionItem(written, help=what)
