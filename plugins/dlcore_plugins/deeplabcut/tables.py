"""Read the label tables of a DeepLabCut project: `CollectedData_<scorer>.h5` and `.csv`."""

from __future__ import annotations

import csv
import logging
import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore import DataError
from dlcore_plugins.deeplabcut.pickles import RefusedClassError, loads_plain

LOGGER = logging.getLogger("dlcore")
KEY = "df_with_missing"
_COORDINATES = ("x", "y")
_HEADERS = ("scorer", "individuals", "bodyparts", "coords")


@dataclass(frozen=True)
class LabelTable:
    """Labels of images, one row each.

    Attributes:
        path: The file they come from.
        images: The image of each row, as path parts, for example ("labeled-data", "m4s1",
            "img0.png").
        columns: (scorer, individual, bodypart, coordinate) of each column; the individual is ""
            in tables of single-animal projects.
        values: (rows, columns) float64 pixels, NaN where there is no label.
    """

    path: Path
    images: tuple[tuple[str, ...], ...]
    columns: tuple[tuple[str, str, str, str], ...]
    values: npt.NDArray[np.float64]

    def for_scorer(self, scorer: str) -> LabelTable:
        """The coordinates that `scorer` labelled; other scorers and likelihoods are left out.

        Raises:
            DataError: If the scorer has no columns here.
        """
        kept = [
            i
            for i, (name, _, _, coordinate) in enumerate(self.columns)
            if name == scorer and coordinate in _COORDINATES
        ]
        if not kept:
            found = ", ".join(repr(name) for name in dict.fromkeys(c[0] for c in self.columns))
            raise DataError(
                f"{str(self.path)!r} has no labels of scorer {scorer!r}, only of "
                f"{found or 'none'}; set scorer in the project's config.yaml"
            )
        columns = tuple(self.columns[i] for i in kept)
        return LabelTable(self.path, self.images, columns, self.values[:, kept])

    @property
    def individuals(self) -> tuple[str, ...]:
        """Names of the individuals, in the order of the columns."""
        return tuple(dict.fromkeys(column[1] for column in self.columns))

    def bodyparts(self, individual: str) -> tuple[str, ...]:
        """Names of the bodyparts of an individual, in the order of the columns."""
        return tuple(dict.fromkeys(c[2] for c in self.columns if c[1] == individual))

    def points(self, individual: str, bodyparts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Places (rows, bodyparts, 2) of an individual, NaN where there is no label."""
        where = {column[1:]: i for i, column in enumerate(self.columns)}
        picked = np.full((len(self.images), len(bodyparts), 2), np.nan)
        for k, bodypart in enumerate(bodyparts):
            for axis, coordinate in enumerate(_COORDINATES):
                column = where.get((individual, bodypart, coordinate))
                if column is not None:
                    picked[:, k, axis] = self.values[:, column]
        return picked


def read_table(stem: Path) -> LabelTable:
    """The table `<stem>.h5`, or `<stem>.csv` where that is missing or cannot be read.

    Raises:
        DataError: If neither can be read.
    """
    h5, text = Path(f"{stem}.h5"), Path(f"{stem}.csv")
    if not h5.is_file() and not text.is_file():
        raise DataError(f"there are no labels: {str(h5)!r} and its .csv are missing")
    if not h5.is_file():
        LOGGER.warning("reading labels from %s: there is no .h5 beside it", text)
        return read_csv(text)
    try:
        return read_h5(h5)
    except RefusedClassError as error:
        raise DataError(
            f"{str(h5)!r} is refused: it holds a pickle that asks for {str(error)!r}; "
            f"make the file again if you trust its origin"
        ) from error
    except Exception as error:  # PyTables and pandas raise many kinds for damaged files
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        if not text.is_file():
            raise DataError(
                f"{str(h5)!r} cannot be read ({first}), and there is no .csv beside it; "
                f"open and save the labels in DeepLabCut again"
            ) from error
        LOGGER.warning("%s cannot be read (%s): reading the .csv beside it", h5, first)
        return read_csv(text)


def read_h5(path: Path) -> LabelTable:
    """A table that pandas wrote. Raises what PyTables and pandas raise for damaged files."""
    import pandas as pd

    with _plain_pickles_only(), pd.HDFStore(str(path), mode="r") as store:
        keys = store.keys()
        frame = store.select(keys[0] if len(keys) == 1 else f"/{KEY}")
    assert isinstance(frame, pd.DataFrame)
    names = [str(name) for name in frame.columns.names]
    if not set(names) >= {"scorer", "bodyparts", "coords"}:
        names = [h for h in _HEADERS if h != "individuals" or len(names) == len(_HEADERS)]
    columns = [dict(zip(names, _as_tuple(column), strict=True)) for column in frame.columns]
    return LabelTable(
        path,
        tuple(_image_parts(_as_tuple(row)) for row in frame.index),
        tuple(_column(column) for column in columns),
        frame.to_numpy(dtype=np.float64),
    )


def read_csv(path: Path) -> LabelTable:
    """A table as text: header rows whose first cells name them, then one row per image.

    Raises:
        DataError: If the file is damaged; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}") from error
    headers = {row[0]: row for row in rows[: len(_HEADERS)] if row and row[0] in _HEADERS}
    if not {"scorer", "bodyparts", "coords"} <= headers.keys():
        raise DataError(f"{str(path)!r} does not start with rows for scorer, bodyparts and coords")
    first = next((i for i, cell in enumerate(headers["coords"]) if i and cell), 1)
    columns = [
        dict(zip(headers, cells, strict=True))
        for cells in zip(*(row[first:] for row in headers.values()), strict=False)
    ]
    images, values = [], []
    for number, row in enumerate(rows[len(headers) :], start=len(headers) + 1):
        if not row or not row[first - 1] or row[0] in _HEADERS:
            continue  # blank, or the names of the index
        try:
            values.append([float(cell) if cell else np.nan for cell in row[first:]])
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        if len(values[-1]) != len(columns):
            raise DataError(f"{path}:{number}: {len(columns)} values expected")
        images.append(_image_parts(tuple(row[:first])))
    return LabelTable(
        path,
        tuple(images),
        tuple(_column(column) for column in columns),
        np.array(values, dtype=np.float64).reshape(len(images), len(columns)),
    )


def merge(tables: Sequence[LabelTable], path: Path) -> LabelTable:
    """One table of all images, sorted by image; what a table does not label is NaN."""
    columns = list(dict.fromkeys(column for table in tables for column in table.columns))
    place = {column: i for i, column in enumerate(columns)}
    rows: dict[tuple[str, ...], npt.NDArray[np.float64]] = {}
    for table in tables:
        target = [place[column] for column in table.columns]
        for image, given in zip(table.images, table.values, strict=True):
            rows[image] = np.full(len(columns), np.nan)
            rows[image][target] = given
    images = tuple(sorted(rows))
    values = np.array([rows[image] for image in images]).reshape(len(images), len(columns))
    return LabelTable(path, images, tuple(columns), values)


def _as_tuple(value: object) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, tuple) else (str(value),)


def _image_parts(index: tuple[str, ...]) -> tuple[str, ...]:
    """Path parts of an image, from three cells or from one path of either system.

    What stands before "labeled-data" belongs to the machine that the labels were made on.
    """
    parts = [part for cell in index for part in cell.replace("\\", "/").split("/") if part]
    if "labeled-data" in parts:
        last = len(parts) - 1 - parts[::-1].index("labeled-data")
        parts = parts[last:]
    return tuple(parts)


def _column(names: dict[str, str]) -> tuple[str, str, str, str]:
    return names["scorer"], names.get("individuals", ""), names["bodyparts"], names["coords"]


_LOCK = threading.Lock()


@contextmanager
def _plain_pickles_only() -> Iterator[None]:
    """Make PyTables read pickles of plain values only.

    PyTables unpickles attributes and object arrays as it meets them, and has no option against
    it: a label file from a stranger could run code. It also swallows whatever unpickling raises,
    so a refusal is kept and raised at the end.

    Raises:
        RefusedClassError: If the file asked for anything but plain data.
    """
    from tables import atom, attributeset

    refused: list[RefusedClassError] = []

    class _Pickle:
        HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL
        UnpicklingError = pickle.UnpicklingError

        @staticmethod
        def loads(data: bytes, encoding: str = "latin1") -> Any:
            try:
                return loads_plain(bytes(data), encoding)
            except RefusedClassError as error:
                refused.append(error)
                raise

    with _LOCK:
        modules = (atom, attributeset)
        originals = [module.pickle for module in modules]
        try:
            for module in modules:
                module.pickle = _Pickle
            yield
        except Exception:
            if not refused:
                raise
        finally:
            for module, original in zip(modules, originals, strict=True):
                module.pickle = original
    if refused:
        raise refused[0]
