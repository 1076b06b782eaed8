"""Options that several commands share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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


backend_option = click.option(
    "--backend",
    metavar="NAME",
    default="torch",
    show_default=True,
    help="What computes the poses: torch, or a name that `dlcore list inference_backends` shows, "
    "such as onnxruntime, which runs what `dlcore export` wrote; or a block with options.",
)
"""`--backend NAME`, as the parameter `backend: str`, which `backend_block` understands."""

exported_option = click.option(
    "--exported",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What `dlcore export` wrote, for --backend. Default: the file in the folder of the run.",
)
"""`--exported FILE`, as the parameter `exported: Path | None`."""


def block_of(text: str, option: str) -> dict[str, Any]:
    """A component by its name, or a block in YAML, from the command line.

    Raises:
        BadParameter: If it is neither.
    """
    import yaml

    if not text.lstrip().startswith("{"):
        return {"type": text}
    try:
        block = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise click.BadParameter(f"{text!r} is not YAML: {error}", param_hint=option) from error
    if not isinstance(block, Mapping):
        raise click.BadParameter(f"{text!r} is not a block", param_hint=option)
    return dict(block)


def backend_block(text: str) -> str | dict[str, Any]:
    """The value of `--backend`: "torch", or the block of an inference backend."""
    return text if text == "torch" else block_of(text, "--backend")


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
