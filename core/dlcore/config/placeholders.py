"""Placeholders: numbers that are known only when the dataset is.

`num_bodyparts`, `num_bodyparts + 1`, `num_limbs x 2` and `num_bodyparts // 2` may stand wherever a
number does, so that a config need not be tied to one dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dlcore.config import keys
from dlcore.errors import ConfigError, Problem

NAMES = (
    "num_bodyparts",
    "num_individuals",
    "backbone_output_channels",
    "paf_graph",
    "num_limbs",
    "paf_edges_to_keep",
)
"""What placeholders may be called; other text is left alone."""

PATTERN = rf"({'|'.join(NAMES)})(?: (\+|x|//) (\d+))?"
"""A regular expression for the whole of a placeholder."""

_PLACEHOLDER = re.compile(PATTERN)


def is_placeholder(value: object) -> bool:
    """Whether a value is to be replaced."""
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value) is not None


def resolve(value: Any, names: Mapping[str, Any], key: str = "") -> Any:
    """The same value with placeholders replaced, in maps and lists too.

    Args:
        value: Anything from a config.
        names: What the names stand for: a number, or a list where no arithmetic follows.
        key: Dotted key of `value`, for errors.

    Raises:
        ConfigError: If a name has no value here, or arithmetic is asked for that makes no sense.
    """
    if isinstance(value, Mapping):
        return {
            name: resolve(item, names, keys.join(key, str(name))) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [resolve(item, names, keys.join(key, i)) for i, item in enumerate(value)]
    match = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    name, operator, number = match.groups()
    if names.get(name) is None:
        known = ", ".join(sorted(names)) or "none"
        message = f"the placeholder {name!r} has no value here; known here: {known}"
        raise ConfigError([Problem(key, message)])
    found = names[name]
    if operator is None:
        return found
    operand = int(number)
    if not isinstance(found, int):
        raise ConfigError([Problem(key, f"{value!r}: {name!r} is a list, not a number")])
    if operator == "+":
        return found + operand
    if operator == "x":
        return found * operand
    if operand == 0:
        raise ConfigError([Problem(key, f"{value!r} divides by 0")])
    return found // operand
