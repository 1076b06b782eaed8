"""Rough poses from files: predictions of another model, as DeepLabCut or a user writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore.errors import DataError

Floats = npt.NDArray[np.float32]
ImageKey = tuple[str, ...]

PROJECT_IMAGES = "labeled-data"
COORDINATES = ("x", "y", "likelihood")
HEADERS = ("scorer", "individuals", "bodyparts", "coords")


def conditions_from_file(
    path: Path, keypoints: Sequence[str]
) -> dict[ImageKey, Floats] | list[Floats]:
    """Rough poses of images or of the frames of a video.

    A `.json` holds `{image: [[[x, y, score], ... keypoints], ... poses]}`, or a list with the poses
    of each frame. A `.h5` is the table that DeepLabCut writes when it evaluates a model.

    Args:
        path: The file.
        keypoints: Names of the keypoints, in the order in which they are wanted; the keypoints of
            a `.json` must be in that order.

    Returns:
        Poses (N, K, 3) x, y, score: by image, whose path is split into its parts and starts at
        "labeled-data" where it has that; or one array for each frame. Keypoints that were not
        found are zeros; poses without any are left out.

    Raises:
        DataError: If the file cannot be read, or does not hold such poses.
    """
    if path.suffix.lower() == ".json":
        return _from_json(path, len(keypoints))
    if path.suffix.lower() in (".h5", ".hdf5"):
        return _from_table(path, keypoints)
    raise DataError(f"conditions must be a .json or .h5 file, got {str(path)!r}")


def _from_json(path: Path, count: int) -> dict[ImageKey, Floats] | list[Floats]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # no JSON, or no text
        raise DataError(f"{str(path)!r} is no JSON file: {error}") from error
    if isinstance(content, list):
        return [_poses(given, count, path, f"frame {i}") for i, given in enumerate(content)]
    if isinstance(content, dict):
        return {
            _image(image): _poses(given, count, path, image) for image, given in content.items()
        }
    raise DataError(f"{str(path)!r} must hold a map from images to poses, or a list of frames")


def _poses(given: Any, count: int, path: Path, where: str) -> Floats:
    try:
        poses = np.array(given if given else np.zeros((0, count, 3)), np.float64)
    except (ValueError, TypeError):
        poses = np.zeros(0)
    if poses.ndim != 3 or poses.shape[1:] != (count, 3):
        raise DataError(
            f"{str(path)!r} must hold poses of {count} keypoints [x, y, score]; "
            f"those of {where!r} are not"
        )
    return _found(poses)


def _found(poses: npt.NDArray[Any]) -> Floats:
    """Poses with zeros for what was not found, without those that are empty."""
    missing = ~np.isfinite(poses).all(axis=2) | (poses[:, :, 2] <= 0)
    some = ~missing.all(axis=1)
    kept: Floats = np.where(missing[some, :, None], 0, poses[some]).astype(np.float32)
    return kept


def _from_table(path: Path, keypoints: Sequence[str]) -> dict[ImageKey, Floats]:
    if not path.is_file():
        raise DataError(f"{str(path)!r} cannot be read: there is no such file")
    try:
        images, columns, values = _read_table(path)
    except Exception as error:  # PyTables raises many kinds for damaged files
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{str(path)!r} cannot be read as a table of predictions for images ({reason}); "
            f"use the .h5 of an evaluation, or write a .json file"
        ) from error
    place = {column[1:]: i for i, column in enumerate(columns)}
    individuals = dict.fromkeys(column[1] for column in columns if column[2] in keypoints)
    known = {column[2] for column in columns}
    unknown = [name for name in keypoints if name not in known]
    if unknown:
        raise DataError(
            f"{str(path)!r} has no predictions of {', '.join(map(repr, unknown))}; the model that "
            f"made it must find the same bodyparts"
        )
    poses = np.full((len(images), len(individuals), len(keypoints), 3), np.nan)
    for i, individual in enumerate(individuals):
        for k, keypoint in enumerate(keypoints):
            for axis, coordinate in enumerate(COORDINATES):
                column = place.get((individual, keypoint, coordinate))
                if column is not None:
                    poses[:, i, k, axis] = values[:, column]
    return {image: _found(given) for image, given in zip(images, poses, strict=True)}


def _read_table(
    path: Path,
) -> tuple[list[ImageKey], list[tuple[str, ...]], npt.NDArray[np.float64]]:
    """Images, columns as in HEADERS, and values (images, columns) of a table of pandas."""
    import tables

    with _no_pickles(), tables.open_file(str(path), mode="r") as file:
        (group,) = file.root._f_iter_nodes("Group")
        nodes = dict(group._v_children.items())
        rows = _index(nodes, "axis1")
        columns: list[tuple[str, ...]] = []
        values: list[npt.NDArray[np.float64]] = []
        while f"block{len(values)}_values" in nodes:  # one for each type of numbers
            number = len(values)
            columns += _index(nodes, f"block{number}_items")
            values.append(np.asarray(nodes[f"block{number}_values"].read(), np.float64))
        table = np.concatenate(values, axis=1)
    if any(len(column) != len(HEADERS) for column in columns):
        raise ValueError(f"its columns must have the levels {', '.join(HEADERS)}")
    if table.shape != (len(rows), len(columns)):
        raise ValueError("its values do not fit its rows and columns")
    return [_image("/".join(row)) for row in rows], columns, table


def _index(nodes: dict[str, Any], name: str) -> list[tuple[str, ...]]:
    """The labels of one axis of a table, on all their levels."""
    levels: list[list[str]] = []
    while f"{name}_level{len(levels)}" in nodes:
        number = len(levels)
        names = nodes[f"{name}_level{number}"].read()
        codes = nodes[f"{name}_label{number}"].read()
        levels.append([bytes(names[code]).decode() for code in codes])
    if not levels:
        raise ValueError(f"{name} is not an index with several levels")
    return list(zip(*levels, strict=True))


def _image(name: str) -> ImageKey:
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    if PROJECT_IMAGES in parts:
        # what stands before belongs to the machine that the file was made on
        parts = parts[len(parts) - 1 - parts[::-1].index(PROJECT_IMAGES) :]
    return tuple(parts)


@contextmanager
def _no_pickles() -> Iterator[None]:
    """Keep PyTables from unpickling what a file holds, which could run any code."""
    from tables import atom, attributeset

    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("it holds a pickle")

    harmless = SimpleNamespace(loads=refuse, UnpicklingError=ValueError, HIGHEST_PROTOCOL=0)
    modules = (atom, attributeset)
    originals = [module.pickle for module in modules]
    try:
        for module in modules:
            module.pickle = harmless
        yield
    finally:
        for module, original in zip(modules, originals, strict=True):
            module.pickle = original
