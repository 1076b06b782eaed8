"""Writes the page of all bundled components, from their declarations and signatures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from importlib_metadata import entry_points
from pydantic.errors import PydanticInvalidForJsonSchema

from dlcore.cli.schema_text import Schema, properties, type_in_words
from dlcore.config.options import UNKNOWN, Option, read_options
from dlcore.hookspecs import ENTRY_POINT_GROUP, hook_name
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry

INTRODUCTION = """\
# Components

What comes with dlcore, by kind, with all options. The name of a component is what stands after
`type:` in a config; a transform is named by its key in `data.train` and `data.inference`.
`dlcore list` and `dlcore show NAME` tell the same about what is installed on your machine, other
packages included.
"""


def write_components_page(path: Path) -> None:
    """Write the page, unless it is up to date."""
    bundled = [
        entry_point
        for entry_point in entry_points(group=ENTRY_POINT_GROUP)
        if entry_point.dist is not None and entry_point.dist.name == "dlcore"
    ]
    text = "\n".join(_page(PluginHost.from_entry_points(bundled))) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _page(host: PluginHost) -> Iterator[str]:
    yield INTRODUCTION
    for kind, registry in host.registries.items():
        if not len(registry):
            continue
        yield f"## {kind.replace('_', ' ').capitalize()}\n"
        yield f"Offered through the hook [`{hook_name(kind)}`](../hooks.md#{_anchor(kind)}).\n"
        for entry in registry:
            yield from _component(entry)


def _component(entry: Entry) -> Iterator[str]:
    spec = read_options(entry.component)
    yield f"### {entry.name}\n"
    yield f"{entry.component.summary} From the plugin `{entry.plugin}`.\n"
    if not spec.options:
        yield "It has no options.\n"
        return
    yield "| Option | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for option in spec.options.values():
        yield from _rows(option)
    yield ""


def _rows(option: Option) -> Iterator[str]:
    try:
        schema: Schema = option.adapter.json_schema()
    except PydanticInvalidForJsonSchema:
        schema = {}
    words = type_in_words(schema, schema) or option.annotation_text
    default = option.default_text if option.default is UNKNOWN else json.dumps(option.default)
    yield _row(option.name, words, option.required, default, option.description)
    yield from _nested(option.name, schema, schema)


def _nested(key: str, schema: Schema, root: Schema) -> Iterator[str]:
    for name, value, required in properties(schema, root):
        words = type_in_words(value, root) or "anything"
        default = json.dumps(value.get("default"))
        yield _row(f"{key}.{name}", words, required, default, value.get("description", ""))
        yield from _nested(f"{key}.{name}", value, root)


def _row(name: str, words: str, required: bool, default: str, description: str) -> str:
    default = "required" if required else f"`{_cell(default)}`"
    return f"| `{name}` | {_cell(words)} | {default} | {_cell(description)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _anchor(kind: str) -> str:
    return hook_name(kind)
