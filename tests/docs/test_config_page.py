"""The page about the config names every key of the schema, with its default, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from dlcore.config.schema import RunConfig
from dlcore.config.sections import section_at

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "config.md"
ROW = re.compile(r"^\| `(?P<key>[\w.]+)` \| (?P<type>.*?) \| (?P<default>.*?) \| (?P<text>.*) \|$")

SAME_AS = {
    "data.inference": "data.train",
    "detector.data": "data",
    "detector.runner": "runner",
    "detector.train_settings": "train_settings",
    "detector.inference": "inference",
}
"""Maps whose keys the page describes once, under another name."""

NOT_KEYS = {"data.train.transforms"}
"""Fields of the schema that stand for keys that plugins name."""


def keys_of_schema(place: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    section = section_at(RunConfig, place)
    for name, field in section.model_fields.items():
        inner = (*place, name)
        dotted = ".".join(inner)
        if dotted in NOT_KEYS:
            continue
        yield dotted, field
        if section_at(RunConfig, inner) is not None and dotted not in SAME_AS:
            yield from keys_of_schema(inner)


ROWS = {
    match["key"]: match
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if (match := ROW.match(line)) is not None
}
SCHEMA = dict(keys_of_schema())


def test_every_key_has_an_entry_and_nothing_else_has_one():
    assert set(ROWS) == set(SCHEMA)


@pytest.mark.parametrize("key", SCHEMA)
def test_defaults_are_those_of_the_schema(key):
    if key not in ROWS:
        pytest.fail(f"{key} has no entry")
    written = ROWS[key]["default"]
    field = SCHEMA[key]
    if field.is_required():
        assert written == "required"
        return
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        own = default.model_dump(exclude_unset=True)
        assert yaml.safe_load(written.strip("`")) == own
        return
    assert yaml.safe_load(written.strip("`")) == default


@pytest.mark.parametrize("key", ROWS)
def test_every_entry_says_something_in_a_sentence(key):
    assert ROWS[key]["type"]
    assert ROWS[key]["text"].endswith(".")
