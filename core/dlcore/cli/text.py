"""Plain text in columns: readable on a terminal, one row a line where it is piped."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any


def width() -> int | None:
    """Columns of the terminal, at least 60; None if the output is no terminal."""
    return max(60, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def table(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows in columns, one text per row.

    The last column is wrapped on a terminal, and never where the output is piped.
    """
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    margin = len(indent) + sum(widths) + 2 * len(widths)
    available = (width() or margin) - margin
    texts = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, widths, strict=False)]
        lines = textwrap.wrap(row[-1], available) if available >= 20 else [row[-1]]
        first, *others = lines or [""]
        texts.append(
            "\n".join(
                [
                    (indent + "  ".join([*cells, first])).rstrip(),
                    *(" " * margin + o for o in others),
                ]
            )
        )
    return texts


def paragraph(text: str, indent: str = "") -> list[str]:
    """A text as lines of at most 100 columns, or fewer on a narrow terminal."""
    return textwrap.wrap(
        text,
        min(width() or 80, 100),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_yaml(value: Any) -> str:
    """A plain value in one line, as it could stand in a YAML file."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)
