"""The dataset `DLCLoader`: a DeepLabCut project on disk."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore import DataError
from dlcore.interfaces import DatasetContext, PoseDataset, Record
from dlcore_plugins.deeplabcut.images import image_size
from dlcore_plugins.deeplabcut.labels import Labels, pick_labels, task_of
from dlcore_plugins.deeplabcut.project import Project, ShufflePlace, is_project, percent_of
from dlcore_plugins.deeplabcut.splits import make_split, read_split
from dlcore_plugins.deeplabcut.tables import LabelTable, merge, read_table

LOGGER = logging.getLogger("dlcore")
_DEFAULT_FRACTION = 0.95
_REMEDY = (
    "run DeepLabCut's create_training_dataset, or split anew with "
    "`dataset: {type: DLCLoader, project: ..., train_fraction: 0.95}`"
)


class DLCLoader(PoseDataset):
    """Labelled images of a DeepLabCut project, split as one of its shuffles says.

    A config inside a shuffle's `train` folder needs none of these options. A project that has no
    shuffles yet is split here: by the names of its images, in a way that can be repeated.

    Args:
        project: The project's folder or its config.yaml, absolute, or relative to the folder of
            the run's config file or else to the current folder.
        config: The same by DeepLabCut's name; give one of the two.
        shuffle: Number of the shuffle.
        trainset_index: Which entry of the project's TrainingFraction the shuffle belongs to.
        trainset_percent: The number after "trainset" in the shuffle's folder, instead of
            `trainset_index`.
        iteration: Iteration of the training set; by default the project's current one.
        modelprefix: Folder inside the project that holds `dlc-models-pytorch`.
        train_fraction: Ignore the shuffles and use this share of all labelled images for training.
        seed: Chooses the images of a split that is made here.

    Raises:
        ValueError: If options contradict each other.
        DataError: If there is no such project.
    """

    evaluation_writer = "deeplabcut"

    def __init__(
        self,
        context: DatasetContext,
        *,
        project: str | None = None,
        config: str | None = None,
        shuffle: int = 1,
        trainset_index: int = 0,
        trainset_percent: int | None = None,
        iteration: int | None = None,
        modelprefix: str = "",
        train_fraction: float | None = None,
        seed: int = 42,
    ) -> None:
        if (project is None) == (config is None):
            raise ValueError("project: name the folder of a DeepLabCut project, and only once")
        if train_fraction is not None and not 0 < train_fraction < 1:
            raise ValueError(f"train_fraction must lie between 0 and 1, got {train_fraction}")
        self._project = Project.read(_locate(str(project or config), context))
        self._shuffle = shuffle
        self._trainset_index = trainset_index
        self._trainset_percent = trainset_percent
        self._iteration = self._project.iteration if iteration is None else iteration
        self._modelprefix = modelprefix
        self._train_fraction = train_fraction
        self._seed = seed
        self._content: tuple[LabelTable, Labels, dict[str, list[int]]] | None = None
        self.task = task_of(self._project, context.metadata)

    @classmethod
    def options_for_config(cls, config_path: Path) -> dict[str, Any] | None:
        """The shuffle whose `train` folder holds the config."""
        place = ShufflePlace.of(config_path)
        if place is None:
            return None
        return {
            "project": str(place.project),
            "shuffle": place.shuffle,
            "trainset_percent": place.percent,
            "iteration": place.iteration,
            "modelprefix": place.modelprefix,
        }

    @classmethod
    def options_for_source(cls, source: Path) -> dict[str, Any] | None:
        """The project whose folder or config.yaml is `source`."""
        if not is_project(source):
            return None
        folder = source if source.is_dir() else source.parent
        return {"project": str(folder.resolve())}

    def config_path(self) -> Path | None:
        """The shuffle's own config, where DeepLabCut would look for it."""
        if self._train_fraction is not None or not self._has_shuffles():
            return None
        path = self._project.config_path(
            self._modelprefix, self._iteration, self._percent(), self._shuffle
        )
        return path if path.parent.is_dir() else None

    def splits(self) -> tuple[str, ...]:
        """Those of "train" and "test" that hold images."""
        _, _, split = self._read()
        return tuple(name for name, rows in split.items() if rows)

    def records(self, split: str) -> list[Record]:
        """The images of a split in the order of the shuffle, also those that have no labels.

        A keypoint is visible (2) where it is labelled and lies in the image; one on the edge of
        the first row or column lies in it. One outside keeps its place and is not visible (0).

        Raises:
            DataError: If the split is unknown or empty, files are missing or damaged, or labels
                contradict the run's config.
        """
        table, labels, rows_of = self._read()
        rows = rows_of.get(split, [])
        if not rows:
            raise DataError(
                f"the {split} split of {str(self._project.folder)!r} has no images; {_REMEDY}"
            )
        missing: list[str] = []
        records = []
        for row in rows:
            parts = table.images[row]
            path = self._project.folder.joinpath(*parts)
            try:
                size = image_size(path)
            except FileNotFoundError:
                missing.append("/".join(parts))
                continue
            records.append(_record(labels, row, path, size, parts))
        if missing:
            first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise DataError(
                f"{len(missing)} of the {len(rows)} images of the {split} split are missing in "
                f"{str(self._project.folder)!r}: {first}; put them back, or remove their labels "
                f"and make the shuffle again"
            )
        return records

    def _read(self) -> tuple[LabelTable, Labels, dict[str, list[int]]]:
        if self._content is None:
            own_split = self._train_fraction is not None or (
                self._trainset_percent is None and not self._has_shuffles()
            )
            table = self._labelled_data() if own_split else self._merged_labels()
            table = table.for_scorer(self._project.scorer)
            if not table.images or not np.isfinite(table.values).any():
                raise DataError(
                    f"{str(table.path)!r} holds no labels; label images of the project first"
                )
            split = self._made_split(table) if own_split else self._split_of_shuffle(table)
            self._content = (table, pick_labels(table, self.task), split)
        return self._content

    def _labelled_data(self) -> LabelTable:
        """The labels of all videos, as they are now."""
        folder = self._project.folder / "labeled-data"
        name = f"CollectedData_{self._project.scorer}"
        videos = sorted(path for path in folder.glob("*") if path.is_dir())
        stems = [v / name for v in videos if any(_exists(v / name, s) for s in (".h5", ".csv"))]
        if not stems:
            others = sorted({path.name for path in folder.glob("*/CollectedData_*")})
            found = f", only {', '.join(others)}" if others else ""
            raise DataError(
                f"there are no labels: {str(folder)!r} has no video folder with {name}.h5 or "
                f".csv{found}"
            )
        tables = [read_table(stem).for_scorer(self._project.scorer) for stem in stems]
        return merge(tables, folder)

    def _merged_labels(self) -> LabelTable:
        """The labels as they were when the shuffle was made; splits point into this table."""
        folder = self._project.training_folder(self._iteration)
        try:
            return read_table(folder / f"CollectedData_{self._project.scorer}")
        except DataError as error:
            raise DataError(f"{error}\n  {_REMEDY}") from error

    def _split_of_shuffle(self, table: LabelTable) -> dict[str, list[int]]:
        path = self._project.split_file(self._iteration, self._percent(), self._shuffle)
        if not path.is_file():
            found = sorted(p.name for p in path.parent.glob("Documentation_data-*.pickle"))
            raise DataError(
                f"there is no split of shuffle {self._shuffle}: {str(path)!r} is missing"
                f"{', there are: ' + ', '.join(found) if found else ''}; {_REMEDY}"
            )
        return read_split(path, len(table.images))

    def _made_split(self, table: LabelTable) -> dict[str, list[int]]:
        fraction = self._train_fraction
        if fraction is None:
            fractions = self._project.fractions
            index = self._trainset_index
            known = index < len(fractions) and 0 < fractions[index] < 1
            fraction = fractions[index] if known else _DEFAULT_FRACTION
        split = make_split(table.images, fraction, self._seed)
        LOGGER.info(
            "%s: split by train_fraction %g and seed %d into %d training and %d test images%s",
            self._project.folder.name,
            fraction,
            self._seed,
            len(split["train"]),
            len(split["test"]),
            "" if self._train_fraction else "; the project has no shuffles",
        )
        return split

    def _has_shuffles(self) -> bool:
        folder = self._project.training_folder(self._iteration)
        return any(folder.glob("Documentation_data-*.pickle"))

    def _percent(self) -> int:
        if self._trainset_percent is not None:
            return self._trainset_percent
        fractions = self._project.fractions
        if not 0 <= self._trainset_index < len(fractions):
            raise DataError(
                f"trainset_index is {self._trainset_index}, but TrainingFraction in the config of "
                f"{str(self._project.folder)!r} has {len(fractions)} entries"
            )
        return percent_of(fractions[self._trainset_index])


def _locate(project: str, context: DatasetContext) -> Path:
    """A path of the options; what it is relative to depends on where it is found."""
    path = Path(project).expanduser()
    if context.config_path is not None and not path.is_absolute():
        beside = context.config_path.parent / path
        if beside.exists():
            return beside
    return path


def _exists(stem: Path, suffix: str) -> bool:
    return Path(f"{stem}{suffix}").is_file()


def _record(
    labels: Labels, row: int, path: Path, size: tuple[int, int] | None, parts: tuple[str, ...]
) -> Record:
    keypoints = _with_visibility(labels.keypoints[row], size)
    seen = (keypoints[..., 2] > 0).any(axis=1)
    unique = _with_visibility(labels.unique_keypoints[row], size)
    if not (unique[:, 2] > 0).any():
        unique[:, 2] = -1  # as in DeepLabCut: not asked for in this image
    return Record(
        image=path,
        size=size,
        keypoints=keypoints[seen],
        unique_keypoints=unique,
        individual_ids=labels.individual_ids[seen],
        key=parts,
    )


def _with_visibility(
    places: npt.NDArray[np.float64], size: tuple[int, int] | None
) -> npt.NDArray[np.float32]:
    """Places (..., 2) to x, y, visibility (..., 3); unlabelled ones are zeros."""
    labelled = np.isfinite(places).all(axis=-1)
    points = np.zeros((*places.shape[:-1], 3), dtype=np.float32)
    points[..., :2][labelled] = places[labelled]
    inside = labelled
    if size is not None:
        with np.errstate(invalid="ignore"):
            inside = labelled & (places >= 0).all(axis=-1) & (places < np.array(size)).all(axis=-1)
    points[..., 2] = 2 * inside
    return points
