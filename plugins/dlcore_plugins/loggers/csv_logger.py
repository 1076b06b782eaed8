"""The table of a run: one row per epoch, one column per number."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

from dlcore.interfaces import Logger, RunInfo

LOGGER = logging.getLogger("dlcore")

STEP = "step"
TABLE = "learning_stats.csv"


class CSVLogger(Logger):
    """Writes a CSV file with a row for each epoch, readable at any time.

    The columns are `step`, the epoch, and then all numbers that were ever logged, by name. A cell
    is empty where nothing was measured, and `nan` where the result is not a number. A run that is
    resumed continues the file; rows after the epoch it starts from are dropped, for they are about
    to be written again. Every run has this logger, whatever the config says.

    Args:
        run: Where the file goes. A detector's file gets the suffix `_detector`.
        log_filename: Name of the file in the run's folder.
        train_folder: Ignored; DeepLabCut's files may have it, and it is always the run's folder.

    Raises:
        ValueError: If `log_filename` is not a plain name.
    """

    def __init__(
        self,
        run: RunInfo,
        *,
        log_filename: str = "learning_stats.csv",
        train_folder: str | None = None,
    ) -> None:
        name = Path(log_filename)
        if name.name != log_filename or log_filename in ("", ".."):
            raise ValueError(f"log_filename must be a name without folders, got {log_filename!r}")
        self.path = _place(run, name)
        self._rows = {
            step: row for step, row in _read(self.path).items() if step <= run.resumed_from_epoch
        }

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write the numbers of one epoch; those of an epoch that is there already are added."""
        row = self._rows.setdefault(step, {})
        row.update({name: repr(float(value)) for name, value in metrics.items()})
        columns = sorted({name for row in self._rows.values() for name in row})
        temporary = self.path.with_name(f"{self.path.name}.part")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [STEP, *columns], restval="")
            writer.writeheader()
            writer.writerows({STEP: step, **self._rows[step]} for step in sorted(self._rows))
        temporary.replace(self.path)


def recorded_epochs(run: RunInfo) -> dict[int, dict[str, float]]:
    """The numbers of the epochs that a resumed run goes on from, by epoch and name, in order."""
    rows = _read(_place(run, Path(TABLE)))
    return {
        step: {name: float(value) for name, value in rows[step].items()}
        for step in sorted(rows)
        if step <= run.resumed_from_epoch
    }


def _place(run: RunInfo, name: Path) -> Path:
    if run.stage == "detector":
        name = name.with_name(f"{name.stem}_detector{name.suffix}")
    return run.folder / name


def _read(path: Path) -> dict[int, dict[str, str]]:
    """Filled cells by epoch and name; a damaged file is put aside."""
    if not path.is_file():
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = {}
            for row in csv.DictReader(file, strict=True):
                step = int(row.pop(STEP))
                rows[step] = {name: value for name, value in row.items() if value}
            return rows
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        aside = path.with_name(f"{path.stem}-damaged{path.suffix}")
        path.replace(aside)
        LOGGER.warning("%s cannot be read (%s); put aside as %s", path, error, aside.name)
        return {}
