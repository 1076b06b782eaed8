from __future__ import annotations

import pytest

from dlcore.cli.schema_text import properties, type_in_words

ROOT = {
    "$defs": {
        "Layer": {
            "type": "object",
            "required": ["size"],
            "properties": {"size": {"type": "integer"}, "bias": {"type": "boolean"}},
        }
    }
}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, ""),
        ({"type": "integer"}, "whole number"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number > 0 <= 1"),
        ({"type": "array", "items": {"type": "number", "minimum": 0}}, "list of numbers >= 0"),
        ({"type": "array"}, "list"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "text | null"),
        (
            {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
            "list of (whole numbers | texts)",
        ),
        ({"enum": ["a", 1, None]}, '"a" | 1 | null'),
        ({"const": "auto"}, '"auto"'),
        ({"type": "object", "x-dlcore-kind": "target_generators"}, "target generator block"),
        ({"type": "array", "items": {"x-dlcore-kind": "heads"}}, "list of head blocks"),
        ({"$ref": "#/$defs/Layer"}, "map"),
        ({"allOf": [{"$ref": "#/$defs/Layer"}]}, "map"),
    ],
)
def test_a_schema_in_words(schema, words):
    assert type_in_words(schema, ROOT) == words


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Layer"},
        {"anyOf": [{"$ref": "#/$defs/Layer"}, {"type": "null"}]},
        {"type": "array", "items": {"$ref": "#/$defs/Layer"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/Layer"}},
    ],
)
def test_keys_are_found_through_references_lists_and_alternatives(schema):
    assert [(name, needed) for name, _, needed in properties(schema, ROOT)] == [
        ("size", True),
        ("bias", False),
    ]
