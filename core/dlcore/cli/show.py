"""`dlcore show`: what a component is and what it takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic.errors import PydanticInvalidForJsonSchema

from dlcore.cli.completing import component_names
from dlcore.cli.net_types import read_figures
from dlcore.cli.options import make_host, plugin_option
from dlcore.cli.schema_text import Schema, properties, type_in_words
from dlcore.cli.text import as_yaml, paragraph
from dlcore.config.options import UNKNOWN, Option, OptionsSpec, read_options
from dlcore.hookspecs import singular
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

EPILOG = """\b
Examples:
  dlcore show HeatmapHead
  dlcore show heatmap/HeatmapHead
  dlcore show MyHead --plugin my_plugin.py
"""

_ARGUMENTS = re.compile(r"^Args:\n(?:(?:[ \t].*)?\n)*(?:[ \t].*)?", re.MULTILINE)
_MAX_DEPTH = 4


@click.command("show", epilog=EPILOG)
@click.argument("name", shell_complete=component_names)
@plugin_option
def show_command(name: str, plugins: tuple[Path, ...]) -> None:
    """Show what the component NAME is and which options it takes.

    NAME is what stands after `type:` in a config. If several plugins offer it, all are shown.
    """
    host = make_host(plugins)
    for number, (kind, entry) in enumerate(host.find_any(name)):
        if number:
            click.echo()
        click.echo("\n".join(_header(host, kind, entry)))
        click.echo("\n".join(_body(kind, entry, read_options(entry.component))))


def _header(host: PluginHost, kind: str, entry: Entry) -> Iterator[str]:
    info = host.plugins[entry.plugin]
    source = " ".join(part for part in (info.distribution, info.version) if part)
    written = dict(zip(host.registries[kind], host.registries[kind].names(), strict=True))[entry]
    yield f"{written}: {singular(kind)}"
    yield f"  plugin: {entry.plugin}, from {source or info.location}"
    yield f"  class:  {entry.component.target}"
    if kind == "net_types" and (lines := read_figures(entry.component).lines()):
        yield ""
        yield from (f"  {line}" for line in lines)


def _body(kind: str, entry: Entry, spec: OptionsSpec) -> Iterator[str]:
    text = _ARGUMENTS.sub("", spec.docstring + "\n").strip() or entry.component.summary
    yield ""
    yield from re.sub(r"\n{3,}", "\n\n", text).splitlines()
    yield ""
    if not spec.options and not spec.is_open:
        yield "It has no options."
        return
    yield "Options:"
    for option in spec.options.values():
        yield from _option(option)
    if spec.is_open:
        yield "  Further keys are taken as they are."
    if kind == "transforms" and spec.first is not None:
        yield f"  A bare value in place of options sets {spec.first!r}."


def _option(option: Option) -> Iterator[str]:
    schema = _json_schema(option)
    words = type_in_words(schema, schema) or option.annotation_text or "anything"
    default = option.default_text if option.default is UNKNOWN else as_yaml(option.default)
    yield from _entry(option.name, words, option.required, default, option.description, 1)
    yield from _nested(schema, schema, 2)


def _nested(schema: Schema, root: Schema, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    for name, value, required in properties(schema, root):
        default = as_yaml(value["default"]) if "default" in value else ""
        words = type_in_words(value, root) or "anything"
        yield from _entry(name, words, required, default, value.get("description", ""), depth)
        yield from _nested(value, root, depth + 1)


def _entry(
    name: str, words: str, required: bool, default: str, description: str, depth: int
) -> Iterator[str]:
    end = "required" if required else f"default {default}" if default else ""
    yield "  " * depth + f"{name}: " + ", ".join(part for part in (words, end) if part)
    yield from paragraph(description, "  " * depth + "    ")


def _json_schema(option: Option) -> dict[str, Any]:
    try:
        return option.adapter.json_schema()
    except PydanticInvalidForJsonSchema:
        return {}
