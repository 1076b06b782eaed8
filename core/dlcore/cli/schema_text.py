"""A JSON Schema in words: "list of whole numbers > 0"."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dlcore.hookspecs import singular

Schema = Mapping[str, Any]

_NAMES = {
    "integer": ("whole number", "whole numbers"),
    "number": ("number", "numbers"),
    "string": ("text", "texts"),
    "boolean": ("true or false", "true or false"),
    "null": ("null", "null"),
    "object": ("map", "maps"),
    "array": ("list", "lists"),
}

_LIMITS = {
    "exclusiveMinimum": ">",
    "minimum": ">=",
    "exclusiveMaximum": "<",
    "maximum": "<=",
}


def type_in_words(schema: Schema, root: Schema, many: bool = False) -> str:
    """What a value must be; empty if it may be anything.

    Args:
        schema: The schema of the value.
        root: The schema that holds the `$defs` which `schema` refers to.
        many: Whether several such values are meant, as in a list.
    """
    schema = resolve(schema, root)
    kind = schema.get("x-dlcore-kind")
    if isinstance(kind, str):
        return f"{singular(kind)} block" + "s" * many
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        choices = [type_in_words(choice, root, many) or "anything" for choice in alternatives]
        return " | ".join(dict.fromkeys(choices))
    name = schema.get("type")
    if not isinstance(name, str):
        return ""
    words = _NAMES.get(name, (name, name))[many]
    items = schema.get("items")
    if isinstance(items, Mapping) and (of := type_in_words(items, root, many=True)):
        words += f" of ({of})" if " | " in of else f" of {of}"
    limits = [f"{sign} {schema[key]}" for key, sign in _LIMITS.items() if key in schema]
    return " ".join([words, *limits])


def resolve(schema: Schema, root: Schema) -> Schema:
    """The schema itself, where this one only refers to another or wraps it."""
    for _ in range(20):
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            schema = root.get("$defs", {}).get(name, {})
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            break
    return schema


def properties(schema: Schema, root: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """The keys of a map, or of the maps in a list: name, schema, whether it must be given.

    Alternatives are looked through, so that `Options | None` gives the keys of `Options`.
    """
    schema = resolve(schema, root)
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        yield name, value, name in required
    for key in ("anyOf", "oneOf"):
        for alternative in schema.get(key, ()):
            yield from properties(alternative, root)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from properties(schema[key], root)
