"""A DeepLabCut project on disk: what its config.yaml says and where its files lie.

Paths inside the files are never trusted: projects are moved, and Windows writes them differently.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dlcore import DataError

CONFIG_NAME = "config.yaml"
_MODELS = "dlc-models-pytorch"
_ITERATION = re.compile(r"iteration-(\d+)")
_SHUFFLE = re.compile(r".+-trainset(\d+)shuffle(\d+)")
_MOST_PREFIX_FOLDERS = 4


@dataclass(frozen=True)
class Project:
    """What a project's config.yaml says.

    Attributes:
        folder: Where the project lies now.
        task: The `Task`, first part of many file names.
        scorer: Whose labels count.
        date: As in file names, for example "Oct30".
        multi_animal: Whether label tables have a level for individuals.
        bodyparts: Keypoints of each individual.
        unique_bodyparts: Keypoints that exist once per image.
        individuals: Names of the individuals.
        identity: Whether an individual's name means the same animal in every image.
        skeleton: Pairs of bodyparts.
        fractions: The shares of images for training, by index.
        iteration: The current iteration of the training set.
    """

    folder: Path
    task: str
    scorer: str
    date: str
    multi_animal: bool
    bodyparts: tuple[str, ...]
    unique_bodyparts: tuple[str, ...]
    individuals: tuple[str, ...]
    identity: bool
    skeleton: tuple[tuple[str, str], ...]
    fractions: tuple[float, ...]
    iteration: int

    @classmethod
    def read(cls, source: Path) -> Project:
        """The project whose folder or config.yaml is `source`.

        Raises:
            DataError: If there is none, or its config.yaml is damaged.
        """
        path = source / CONFIG_NAME if source.is_dir() else source
        if not path.is_file():
            raise DataError(
                f"there is no DeepLabCut project at {str(source)!r}; "
                f"name the folder that holds its {CONFIG_NAME}"
            )
        values = _read_yaml(path)
        missing = [key for key in ("Task", "scorer", "date") if not values.get(key)]
        if missing:
            raise DataError(
                f"{str(path)!r} is not the config of a DeepLabCut project: "
                f"it lacks {', '.join(missing)}"
            )
        several = values.get("multianimalproject")
        multi_animal = _is_true(several) or values.get("bodyparts") == "MULTI!"
        bodyparts = _names(values, "multianimalbodyparts" if multi_animal else "bodyparts", path)
        if not bodyparts:
            raise DataError(f"{str(path)!r} names no bodyparts")
        unique = _names(values, "uniquebodyparts", path) or _names(values, "unique_bodyparts", path)
        individuals = _names(values, "individuals", path)
        return cls(
            folder=path.parent,
            task=values["Task"],
            scorer=values["scorer"],
            date=values["date"],
            multi_animal=multi_animal,
            bodyparts=bodyparts,
            unique_bodyparts=unique if multi_animal else (),
            individuals=(individuals if multi_animal else individuals[:1]) or ("individual_1",),
            identity=_is_true(values.get("identity") or values.get("with_identity")),
            skeleton=_pairs(values.get("skeleton")),
            fractions=_fractions(values.get("TrainingFraction"), path),
            iteration=_iteration(values.get("iteration"), path),
        )

    def training_folder(self, iteration: int) -> Path:
        """Where the merged labels and the splits of an iteration lie."""
        name = f"UnaugmentedDataSet_{self.task}{self.date}"
        return self.folder / "training-datasets" / f"iteration-{iteration}" / name

    def split_file(self, iteration: int, percent: int, shuffle: int) -> Path:
        """The pickle that holds the split of a shuffle."""
        name = f"Documentation_data-{self.task}_{percent}shuffle{shuffle}.pickle"
        return self.training_folder(iteration) / name

    def config_path(self, modelprefix: str, iteration: int, percent: int, shuffle: int) -> Path:
        """Where DeepLabCut keeps the model config of a shuffle."""
        name = f"{self.task}{self.date}-trainset{percent}shuffle{shuffle}"
        models = self.folder / modelprefix / _MODELS
        return models / f"iteration-{iteration}" / name / "train" / "pytorch_config.yaml"


@dataclass(frozen=True)
class ShufflePlace:
    """What the place of a model config tells.

    Attributes:
        project: The project's folder.
        modelprefix: Folders between the project and its models, usually none.
        iteration: As in "iteration-0".
        percent: As in "trainset95".
        shuffle: As in "shuffle1".
    """

    project: Path
    modelprefix: str
    iteration: int
    percent: int
    shuffle: int

    @classmethod
    def of(cls, config_path: Path) -> ShufflePlace | None:
        """The shuffle whose `train` folder holds this file, or None."""
        as_named = Path(os.path.abspath(config_path))  # noqa: PTH100  keeps symbolic links
        return cls._of(as_named) or cls._of(config_path.resolve())

    @classmethod
    def _of(cls, path: Path) -> ShufflePlace | None:
        if len(path.parents) < 5 or path.parent.name != "train":
            return None
        shuffle_folder, iteration_folder, models = path.parents[1:4]
        iteration = _ITERATION.fullmatch(iteration_folder.name)
        shuffle = _SHUFFLE.fullmatch(shuffle_folder.name)
        if iteration is None or shuffle is None or models.name != _MODELS:
            return None
        holder = models.parent
        above = [holder, *holder.parents][: 1 + _MOST_PREFIX_FOLDERS]
        project = next((folder for folder in above if is_project(folder)), holder)
        prefix = holder.relative_to(project).as_posix()
        return cls(
            project=project,
            modelprefix="" if prefix == "." else prefix,
            iteration=int(iteration[1]),
            percent=int(shuffle[1]),
            shuffle=int(shuffle[2]),
        )


def is_project(source: Path) -> bool:
    """Whether `source` is the folder or the config.yaml of a DeepLabCut project."""
    path = source / CONFIG_NAME if source.is_dir() else source
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return False
    try:
        values = _read_yaml(path)
    except DataError:
        return False
    return "Task" in values and "scorer" in values


def percent_of(fraction: float) -> int:
    """The number after "trainset" in file names, truncated as DeepLabCut does: 0.29 gives 28."""
    return int(100 * fraction)


def _read_yaml(path: Path) -> dict[str, Any]:
    """The file with every scalar as text, so that bodyparts named 01, no or 1e3 stay names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = yaml.load(text, Loader=yaml.BaseLoader)
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is not a text file in UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "damaged"
        raise DataError(f"{path}{line}: not valid YAML: {problem}") from error
    except RecursionError as error:
        raise DataError(f"{path}: not valid YAML: nested too deeply") from error
    if not isinstance(values, dict):
        raise DataError(f"{str(path)!r} is not a mapping of keys to values")
    return {key: None if _is_null(value) else value for key, value in values.items()}


def _is_null(value: object) -> bool:
    return isinstance(value, str) and value.lower() in ("", "~", "null")


def _is_true(value: object) -> bool:
    return isinstance(value, str) and value.lower() in ("true", "yes", "on", "1")


def _names(values: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    found = values.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise DataError(f"{str(path)!r}: {key} must be a list of names, it is {found!r}")
    doubles = sorted({name for name in found if found.count(name) > 1})
    if doubles:
        raise DataError(f"{str(path)!r}: {key} names {doubles[0]!r} twice")
    return tuple(found)


def _pairs(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        (pair[0], pair[1])
        for pair in value
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, str) for n in pair)
    )


def _fractions(value: Any, path: Path) -> tuple[float, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, list) else [value]
    try:
        return tuple(float(fraction) for fraction in values)
    except (TypeError, ValueError):
        raise DataError(
            f"{str(path)!r}: TrainingFraction must be a list of numbers, it is {value!r}"
        ) from None


def _iteration(value: object, path: Path) -> int:
    try:
        return 0 if value is None else int(str(value))
    except ValueError:
        raise DataError(f"{str(path)!r}: iteration must be a number, it is {value!r}") from None
