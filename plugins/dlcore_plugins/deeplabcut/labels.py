"""From the columns of a label table to the keypoints of a task."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore import DataError
from dlcore.interfaces import PoseTask
from dlcore.interfaces.symmetry import symmetries_from_names
from dlcore_plugins.deeplabcut.project import Project
from dlcore_plugins.deeplabcut.tables import LabelTable

UNIQUE = "single"
"""The individual that holds the unique bodyparts in tables of multi-animal projects."""


def task_of(project: Project, metadata: Mapping[str, Any]) -> PoseTask:
    """The names of a run: those of its config where it has any, else those of the project."""
    named = _names(metadata, "bodyparts")
    if named:
        unique = _names(metadata, "unique_bodyparts") or _names(metadata, "uniquebodyparts")
        individuals = _names(metadata, "individuals") or project.individuals
        identity = metadata.get("with_identity", metadata.get("identity"))
        with_identity = project.identity if identity is None else bool(identity)
    else:
        named, unique = project.bodyparts, project.unique_bodyparts
        individuals, with_identity = project.individuals, project.identity
    index = {name: i for i, name in enumerate(named)}
    skeleton = tuple(  # new projects come with example pairs that name nothing: left out
        (index[a], index[b]) for a, b in project.skeleton if a in index and b in index
    )
    return PoseTask(
        keypoints=named,
        unique_keypoints=unique,
        individuals=individuals,
        with_identity=with_identity,
        skeleton=skeleton,
        symmetries=symmetries_from_names(named),
    )


def _names(metadata: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(name) for name in metadata.get(key) or ())


@dataclass(frozen=True)
class Labels:
    """The labels of a table in the order of a task.

    Attributes:
        keypoints: (rows, individuals of the table, K, 2) pixels, NaN where there is no label.
        unique_keypoints: (rows, U, 2).
        individual_ids: (individuals of the table,) index into the task's individuals.
    """

    keypoints: npt.NDArray[np.float64]
    unique_keypoints: npt.NDArray[np.float64]
    individual_ids: npt.NDArray[np.int64]


def pick_labels(table: LabelTable, task: PoseTask) -> Labels:
    """The columns of a table that a task asks for.

    Raises:
        DataError: If a bodypart has no column, or an individual no place in the task.
    """
    individuals = [name for name in table.individuals if name != UNIQUE]
    known = {part: None for name in individuals for part in table.bodyparts(name)}
    _check_bodyparts(task.keypoints, known, "bodypart", table)
    _check_bodyparts(task.unique_keypoints, table.bodyparts(UNIQUE), "unique bodypart", table)
    points = [table.points(name, task.keypoints) for name in individuals]
    labelled = [i for i, place in enumerate(points) if np.isfinite(place).all(-1).any()]
    ids = _individual_ids([individuals[i] for i in labelled], task, table)
    shape = (len(table.images), len(labelled), task.num_keypoints, 2)
    return Labels(
        np.stack([points[i] for i in labelled], axis=1) if labelled else np.zeros(shape),
        table.points(UNIQUE, task.unique_keypoints),
        np.array(ids, dtype=np.int64),
    )


def _check_bodyparts(
    wanted: Sequence[str], known: Mapping[str, None] | Sequence[str], what: str, table: LabelTable
) -> None:
    for name in wanted:
        if name not in known:
            raise DataError(
                f"{what} {name!r} has no labels in {str(table.path)!r}{_near(name, list(known))}"
            )


def _individual_ids(labelled: Sequence[str], task: PoseTask, table: LabelTable) -> list[int]:
    """The task's index of each individual of the table: by name, else by order.

    The single individual of a project has had several names, so names that all differ are matched
    by order.
    """
    index = {name: i for i, name in enumerate(task.individuals)}
    if not any(name in index for name in labelled):
        if len(labelled) > task.num_individuals:
            raise DataError(
                f"{str(table.path)!r} labels {len(labelled)} individuals "
                f"({', '.join(map(repr, labelled))}), but the config has place for "
                f"{task.num_individuals}; name them in metadata.individuals"
            )
        return list(range(len(labelled)))
    for name in labelled:
        if name not in index:
            raise DataError(
                f"individual {name!r} of {str(table.path)!r} is not among metadata.individuals"
                f"{_near(name, task.individuals)}"
            )
    return [index[name] for name in labelled]


def _near(name: str, known: Sequence[str]) -> str:
    matches = difflib.get_close_matches(name, known, n=1)
    if matches:
        return f"; did you mean {matches[0]!r}?"
    return f"; there are: {', '.join(known) or 'none'}"
