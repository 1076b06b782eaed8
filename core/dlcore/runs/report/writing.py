"""Write the page about a run."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from dlcore import __version__
from dlcore.engine.run_folder import LOGGER, REPORT, RESOLVED_CONFIG, write_text
from dlcore.engine.stage_files import statistics_file
from dlcore.errors import DataError
from dlcore.runs.finding import CONFIG, STAGES
from dlcore.runs.report.contents import gather

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

_SIGNS = re.compile(r"(?<=[_.@:/])")
_GENERATOR = '<meta name="generator" content="dlcore'
"""What a page says near its beginning, so that no other file is written over."""


def write_report(folder: Path, output: Path | None = None) -> Path:
    """Write the page about a run: one file that needs nothing else.

    Args:
        folder: Of the run; nothing but the page is written there.
        output: The file; `report.html` in the folder by default.

    Returns:
        The file.

    Raises:
        DataError: If the folder holds no run, or the file is there and no earlier report.
        TrainingError: If it cannot be written.
    """
    path = folder / REPORT if output is None else output
    contents = gather(folder)
    if path.exists() and not _is_report(path):
        raise DataError(f"{str(path)!r} exists and is no report; choose another with --output")
    style = files("dlcore.runs.report").joinpath("report.css").read_text(encoding="utf-8")
    write_text(path, _template().render(page=contents, style=style, version=__version__))
    return path


def refresh_report(folder: Path) -> Path | None:
    """Write the page about a run; a failure is a warning, for the run is what counts.

    Returns:
        The file; None if it was not written, or if the folder holds no run of its own.
    """
    names = (RESOLVED_CONFIG, CONFIG, *map(statistics_file, STAGES))
    if not any((folder / name).exists() for name in names):
        return None
    try:
        return write_report(folder)
    except Exception as error:  # noqa: BLE001  nothing about a report may hurt what it is about
        LOGGER.warning("the report was not written: %s: %s", type(error).__name__, error)
        return None


def _is_report(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _GENERATOR in file.read(1000)
    except OSError:
        return False


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": _number,
        "duration": _duration,
        "breakable": _breakable,
    }
    text = files("dlcore.runs.report").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text)


def _number(value: float | None, digits: int = 2, unit: str = "") -> Markup:
    """A number as people read it, with all of its digits for programs; a dash for None."""
    from markupsafe import Markup

    if value is None:
        return Markup('<span class="none" title="not known">&ndash;</span>')
    shown = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
    return Markup('<data value="{}">{}{}</data>').format(repr(value), shown, unit)


def _breakable(name: str) -> Markup:
    """A name that may be broken behind its signs, so that it is not broken elsewhere."""
    from markupsafe import Markup

    return Markup("<wbr>").join(part for part in _SIGNS.split(name) if part)


def _duration(seconds: float) -> str:
    """Seconds as people say them: "2.1 s", "4 min 03 s", "1 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
