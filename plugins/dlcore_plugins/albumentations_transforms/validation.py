"""Checks of option values, with errors that name option and value."""

from __future__ import annotations

from collections.abc import Sequence


def probability(name: str, value: float) -> float:
    """`value`, if it is in [0, 1]."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value}")
    return value


def positive(name: str, value: int) -> int:
    """`value`, if it is at least 1."""
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return value


def not_negative(name: str, value: float) -> float:
    """`value`, if it is at least 0."""
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {value}")
    return value


def interval(name: str, value: Sequence[float], *, above: float) -> tuple[float, float]:
    """`value`, if it is a pair (low, high) with `above` < low <= high."""
    if len(value) != 2 or not above < value[0] <= value[1]:
        raise ValueError(f"{name} must be [low, high], both above {above:g}, got {list(value)}")
    return float(value[0]), float(value[1])
