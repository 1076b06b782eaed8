"""What pydantic finds wrong, in the words of this project."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dlcore.config import keys
from dlcore.config.keys import Part
from dlcore.errors import Problem

KnownKeys = Callable[[tuple[Part, ...]], Iterable[str]]

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "sequence_str": "a list",
    "is_instance_of": "a list",
    "dict_type": "a map",
    "mapping_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "dataclass_type": "a map",
    "none_required": "null",
}

_ALTERNATIVE = re.compile(r"'((?:[^'\\]|\\.)*)'")


def from_validation(
    error: ValidationError, values: Any, key: str, known: KnownKeys
) -> list[Problem]:
    """The problems of a validation error, one for each place.

    Args:
        error: What pydantic raised.
        values: What it was given.
        key: Dotted key of `values`.
        known: Gives the keys that are allowed in the map at a place inside `values`.
    """
    found: dict[tuple[Part, ...], list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_place(details, values), []).append(details)
    deepest = [
        place
        for place in found
        if not any(other != place and other[: len(place)] == place for other in found)
    ]
    meant = {
        (*place[:-1], keys.nearest(str(place[-1]), known(place[:-1])))
        for place in deepest
        if _is_unknown(found[place])
    }
    return [
        _problem(place, found[place], values, key, known)
        for place in deepest
        if not (found[place][0]["type"] == "missing" and place in meant)
    ]


def shown(value: Any) -> str:
    """A value as it is quoted in a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a map"
    text = repr(value)
    if len(text) <= 60:
        return text
    return "a list" if isinstance(value, list) else text[:57] + "..."


def _place(details: ErrorDetails, values: Any) -> tuple[Part, ...]:
    """The place of an error in the values, without the tags that pydantic adds for unions."""
    place: list[Part] = []
    missing = details["type"] == "missing"
    steps = details["loc"]
    for index, step in enumerate(steps):
        inside = (
            step in values
            if isinstance(values, dict)
            else isinstance(values, list | tuple) and isinstance(step, int) and step < len(values)
        )
        if inside:
            values = values[step]
            place.append(step)
        elif missing and index == len(steps) - 1:
            place.append(step)
    return tuple(place)


def _is_unknown(errors: list[ErrorDetails]) -> bool:
    return any(details["type"] == "extra_forbidden" for details in errors)


def _problem(
    place: tuple[Part, ...],
    errors: list[ErrorDetails],
    values: Any,
    key: str,
    known: KnownKeys,
) -> Problem:
    full_key = keys.join_all(key, place)
    first = errors[0]
    if _is_unknown(errors):
        return Problem(full_key, keys.unknown_key(str(place[-1]), known(place[:-1])))
    if first["type"] == "missing":
        name = str(place[-1])
        return Problem(keys.join_all(key, place[:-1]), f"missing key {name!r}")
    value = keys.look_up(values, place)
    expected: list[str] = []
    others: list[str] = []
    for details in errors:
        text = _expected(details)
        if text is None:
            others.append(_other(details))
        elif text not in expected:
            expected.append(text)
    if not expected:
        return Problem(full_key, others[0])
    message = f"must be {_either(expected)}, not {shown(value)}"
    near = _near(value, errors)
    return Problem(full_key, f"{message}; did you mean {near!r}?" if near else message)


def _expected(details: ErrorDetails) -> str | None:
    kind = details["type"]
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = details["msg"]
    for prefix in ("Input should be ", "Value should be "):
        if message.startswith(prefix):
            return message.removeprefix(prefix)
    return None


def _other(details: ErrorDetails) -> str:
    message = details["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _either(choices: list[str]) -> str:
    return choices[0] if len(choices) == 1 else ", ".join(choices[:-1]) + " or " + choices[-1]


def _near(value: Any, errors: list[ErrorDetails]) -> str | None:
    """The allowed text that a misspelt one was meant to be."""
    if not isinstance(value, str):
        return None
    choices: list[str] = []
    for details in errors:
        if details["type"] in ("literal_error", "enum"):
            choices += _ALTERNATIVE.findall(str(details.get("ctx", {}).get("expected", "")))
    return keys.nearest(value, choices)
