"""Write YAML that people like to read: comments, short lists in one line, no surprises.

Readers of YAML 1.1 and of YAML 1.2 see the same values: `1.0e-05` is a number to both, and text
that either could take for something else is quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PLAIN = re.compile(r"[^\W\d][\w./@+-]*(?: [\w./@+-]+)*|/[\w./@+-]*")
_WORDS = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null", "inf", "nan"))
_WIDTH = 99


def write_yaml(values: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """A map as text, with a blank line between its sections.

    Args:
        values: Plain types: maps, lists, text, numbers, booleans, None.
        comments: Dotted key to what is written behind it.

    Raises:
        TypeError: If a value is of another type.
    """
    sections = []
    for key, value in values.items():
        lines = list(_entry(str(key), value, 0, str(key), comments or {}))
        sections.append("\n".join(lines))
    text = ""
    for i, section in enumerate(sections):
        if i and ("\n" in section or "\n" in sections[i - 1]):
            text += "\n"
        text += section + "\n"
    return text


def _entry(
    key: str, value: object, depth: int, place: str, comments: Mapping[str, str]
) -> Iterator[str]:
    indent = "  " * depth
    line = _in_one_line(value)
    first = f"{indent}{_scalar(key)}:{'' if line is None else ' ' + line}"
    fits = len(first) <= _WIDTH or not isinstance(value, (list, tuple))
    if not fits:
        first = f"{indent}{_scalar(key)}:"
    comment = comments.get(place)
    if comment is None:
        yield first
    elif len(first) + len(comment) + 4 <= _WIDTH:
        yield f"{first}  # {comment}"
    else:
        yield f"{indent}# {comment}"
        yield first
    if line is not None and fits:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _entry(str(name), inner, depth + 1, f"{place}.{name}", comments)
    else:
        assert isinstance(value, (list, tuple))
        yield from _items(value, depth)


def _items(values: Sequence[object], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for value in values:
        line = _in_one_line(value)
        if line is not None and (len(line) < _WIDTH or not isinstance(value, (list, tuple))):
            yield f"{indent}- {line}"
        elif isinstance(value, Mapping):
            inner = [
                line
                for name, item in value.items()
                for line in _entry(str(name), item, depth + 1, "", {})
            ]
            yield f"{indent}- {inner[0].lstrip()}"
            yield from inner[1:]
        else:
            assert isinstance(value, (list, tuple))
            yield f"{indent}-"
            yield from _items(value, depth + 1)


def _in_one_line(value: object) -> str | None:
    """A scalar, an empty map, or a list of what fits in a line; None for all else."""
    if isinstance(value, Mapping):
        return None if value else "{}"
    if isinstance(value, (list, tuple)):
        items = [_in_one_line(item) for item in value]
        if any(item is None for item in items):
            return None
        return f"[{', '.join(str(item) for item in items)}]"
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return json.dumps(value, ensure_ascii=not value.isprintable())
    raise TypeError(f"{value!r} cannot be written as YAML")


def _number(value: float) -> str:
    text = repr(float(value))
    if text.lstrip("-") in ("inf", "nan"):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}.0e{exponent}" if e and "." not in mantissa else text
