"""From single values to medians and ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

WHO = ("dlcore", "deeplabcut", "light")
OTHERS = WHO[1:]

Round = Mapping[str, float]
"""What was measured within one round: by "dlcore", "deeplabcut" and "light"."""


def summarise(
    rounds: Sequence[Round], unit: str, *, less_is_better: bool = False
) -> dict[str, Any]:
    """Medians, ratios and spread.

    A ratio is the median of the ratios of each round, so that what slows down a whole round does
    not count. It says how many times as good dlcore is as the other.

    Args:
        rounds: Values; what was not measured is missing.
        unit: Ends the names of the medians, for example "images_per_s".
        less_is_better: Whether the values are seconds or memory.
    """
    values = {who: [one[who] for one in rounds if who in one] for who in WHO}
    summary: dict[str, Any] = {
        f"{who}_{unit}": median(v) if v else None for who, v in values.items()
    }
    for other in OTHERS:
        ratios = [one["dlcore"] / one[other] for one in rounds if "dlcore" in one and other in one]
        if less_is_better:
            ratios = [1 / ratio for ratio in ratios]
        summary[f"ratio_to_{other}"] = median(ratios) if ratios else None
    summary["spread"] = {who: spread(v) for who, v in values.items() if v}
    summary["values"] = {who: v for who, v in values.items() if v}
    return summary


def spread(values: Sequence[float]) -> float:
    """The difference of the largest and the smallest, as a share of the median."""
    return (max(values) - min(values)) / median(values)


def most(values: Sequence[float | None]) -> float | None:
    """The largest of those that are known."""
    return max((value for value in values if value is not None), default=None)
