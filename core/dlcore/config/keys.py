"""Dotted keys: how a place in a config file is written, in messages and after `--set`.

A key of a map follows a dot, the position in a list stands in brackets: `runner.gpus[0]`,
`model.heads.bodypart.criterion.heatmap.weight`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Part = str | int

_PART = re.compile(r"(?:^|\.)([^.\[\]]+)|\[(\d+)\]")


def join(key: str, part: Part) -> str:
    """The key of what stands at `part` inside `key`."""
    if isinstance(part, int):
        return f"{key}[{part}]"
    return f"{key}.{part}" if key else part


def join_all(key: str, parts: Iterable[Part]) -> str:
    """The key that several steps lead to."""
    for part in parts:
        key = join(key, part)
    return key


def split(key: str) -> list[Part]:
    """The steps of a dotted key: "a.b[0]" to ["a", "b", 0].

    Raises:
        ValueError: If `key` is not a dotted key.
    """
    parts: list[Part] = []
    position = 0
    while position < len(key):
        match = _PART.match(key, position)
        if match is None:
            break
        name, index = match.groups()
        parts.append(name if name is not None else int(index))
        position = match.end()
    if not parts or position < len(key) or key.startswith("."):
        raise ValueError(f"{key!r} is not a key like 'runner.optimizer.params.lr' or 'a.b[0]'")
    return parts


def parent(key: str) -> str:
    """The key of what holds `key`: "a.b[0]" to "a.b", "a" to ""."""
    return key[: max(key.rfind("."), key.rfind("["), 0)]


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value) in a nest of maps and lists, outer ones first."""
    if key:
        yield key, value
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from walk(item, join(key, str(name)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from walk(item, join(key, index))


def look_up(value: Any, parts: Iterable[Part]) -> Any:
    """What stands at `parts` inside `value`.

    Raises:
        LookupError: If there is nothing.
    """
    for part in parts:
        fits = isinstance(value, dict if isinstance(part, str) else list)
        if not fits:
            raise KeyError(part)
        value = value[part]
    return value


def unknown_key(name: str, known: Iterable[str], what: str = "key") -> str:
    """What to say about a name that is not among `known`, with the nearest one or all of them."""
    names = sorted(known)
    near = nearest(name, names)
    if near is not None:
        return f"unknown {what} {name!r}; did you mean {near!r}?"
    return f"unknown {what} {name!r}; known here: {', '.join(names) or 'none'}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, or None when none is near."""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[matches[0]] if matches else None
