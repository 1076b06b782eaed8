"""Overrides from the command line: `--set runner.optimizer.params.lr=1e-3`."""

from __future__ import annotations

from typing import Any

from dlcore.config import keys
from dlcore.config.keys import Part
from dlcore.config.problems import shown
from dlcore.config.yaml import parse_value
from dlcore.errors import ConfigError, Problem


def apply(values: dict[str, Any], override: str) -> str:
    """Set one key in place.

    Args:
        values: The config; maps that are missing on the way to the key are made.
        override: "key=value". The value is YAML; `a.b[0]` and `a.b.0` name an item of a list, and
            the position behind the last one adds an item.

    Returns:
        The dotted key.

    Raises:
        ConfigError: If it is not of that form, or the key leads through something that is no map.
    """
    key, equals, text = override.partition("=")
    key = key.strip()
    try:
        parts = keys.split(key)
    except ValueError as error:
        raise ConfigError([Problem("--set", f"{error} (in {override!r})")]) from error
    if not equals:
        raise ConfigError([Problem("--set", f"{override!r} is not of the form KEY=VALUE")])
    try:
        value = parse_value(text)
    except ConfigError as error:
        message = f"{error.problems[0].message} (in {override!r})"
        raise ConfigError([Problem("--set", message)]) from error
    return _set(values, parts, value)


def _set(values: dict[str, Any], parts: list[Part], value: Any) -> str:
    holder: Any = values
    key = ""
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        part = _fitting(holder, part)
        _check(holder, part, key, parts)
        if following is None:
            _put(holder, part, value)
            return keys.join(key, part)
        key = keys.join(key, part)
        if _get(holder, part) is None:
            _put(holder, part, [] if isinstance(following, int) else {})
        holder = _get(holder, part)
    raise AssertionError("a key has at least one part")


def _fitting(holder: Any, part: Part) -> Part:
    """`0` in `a.0` is a position where `a` is a list."""
    if isinstance(holder, list) and isinstance(part, str) and part.isdecimal():
        return int(part)
    return part


def _check(holder: Any, part: Part, key: str, parts: list[Part]) -> None:
    wanted = keys.join_all("", parts)
    if isinstance(holder, dict) and isinstance(part, str):
        return
    if isinstance(holder, list) and isinstance(part, int):
        if part > len(holder):
            message = f"cannot be set: {key!r} has {len(holder)} items"
            raise ConfigError([Problem(wanted, message)])
        return
    place = repr(key) if key else "the file"
    found = "a list" if isinstance(holder, list) else shown(holder)
    needed = "a list" if isinstance(part, int) else "a map"
    raise ConfigError([Problem(wanted, f"cannot be set: {place} is {found}, not {needed}")])


def _get(holder: Any, part: Part) -> Any:
    if isinstance(part, int):
        return holder[part] if part < len(holder) else None
    return holder.get(part)


def _put(holder: Any, part: Part, value: Any) -> None:
    if isinstance(part, int) and part == len(holder):
        holder.append(value)
    else:
        holder[part] = value
