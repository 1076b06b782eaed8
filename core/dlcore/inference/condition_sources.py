"""Where the rough poses of a conditional model come from: `inference.conditions`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcore.building import build
from dlcore.engine.setup import dataset_by_place
from dlcore.engine.sources import dataset_of_source
from dlcore.errors import ConfigError, DataError, DlcoreError, Problem
from dlcore.inference.condition_files import conditions_from_file
from dlcore.inference.images import Floats, InputImage
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import DatasetContext, PoseDataset, PoseTask
from dlcore.plugin_host import PluginHost

KEY = "inference.conditions"


class FileConditions:
    """Rough poses that another model wrote into a file.

    Args:
        path: A `.json` or `.h5` file; see `conditions_from_file`.
        task: The keypoints that they must have.

    Raises:
        DataError: If the file is not right.
    """

    def __init__(self, path: Path, task: PoseTask) -> None:
        self.path = path
        found = conditions_from_file(path, task.keypoints)
        if isinstance(found, list):
            found = {(str(number),): poses for number, poses in enumerate(found)}
        self._by_image = found
        self._by_name: dict[str, list[tuple[str, ...]]] = {}
        for key in found:
            self._by_name.setdefault(key[-1], []).append(key)

    def __call__(self, image: InputImage) -> Floats:
        """The rough poses (N, K, 3) of an image, in its pixels.

        Raises:
            DataError: If the file does not know it.
        """
        key = self._known(image.key)
        if key is None:
            raise DataError(
                f"{str(self.path)!r} has no poses for the image {'/'.join(image.key)!r}; "
                f"predict it with the model that made the file, or name another file in {KEY}"
            )
        poses: Floats = self._by_image[key].copy()
        poses[..., :2] -= image.origin
        return poses

    def _known(self, key: tuple[str, ...]) -> tuple[str, ...] | None:
        """The file's name for an image: the same path, or one that is the end of the other."""
        if key in self._by_image or not key:
            return key or None
        ends = [
            known
            for known in self._by_name.get(key[-1], [])
            if _is_end(known, key) or _is_end(key, known)
        ]
        return ends[0] if len(ends) == 1 else None


def _is_end(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    return len(short) <= len(long) and long[-len(short) :] == short


def no_conditions(image: InputImage) -> Floats:
    """For models whose rough poses come with each image.

    Raises:
        DlcoreError: Always: this image came without.
    """
    raise DlcoreError(
        f"the image {'/'.join(image.key)!r} has no rough poses, which a conditional model starts "
        f"from; say where they come from with {KEY} or --conditions"
    )


def file_of(conditions: str | Mapping[str, Any], folder: Path) -> Path | None:
    """The file that `inference.conditions` names; None where it names a model.

    Args:
        conditions: The value of the key.
        folder: What relative paths start from.
    """
    named = conditions if isinstance(conditions, str) else conditions.get("filepath")
    return None if named is None else folder / Path(str(named)).expanduser()


def run_of(
    conditions: Mapping[str, Any], place: Path, host: PluginHost
) -> tuple[TrainedRun, str | None]:
    """The trained run that `inference.conditions` names, and which of its snapshots.

    Args:
        conditions: `config_path` and perhaps `snapshot_path`; or `shuffle`, and perhaps `config` of
            another project, `trainset_index` and `snapshot`.
        place: The config file that says so; relative paths start from its folder.
        host: Where components are found.

    Raises:
        DlcoreError: If there is no such run.
    """
    folder = place.parent
    snapshot = conditions.get("snapshot_path") or conditions.get("snapshot")
    if snapshot is not None:
        beside = folder / Path(str(snapshot)).expanduser()
        snapshot = str(beside) if beside.is_file() else str(snapshot)
    if conditions.get("config_path"):
        path = folder / Path(str(conditions["config_path"])).expanduser()
        return TrainedRun.open(path, host), snapshot
    if conditions.get("shuffle") is None:
        raise _wrong(
            "must be the path of a file with poses, {filepath: ...}, {config_path: ..., "
            "snapshot_path: ...} of a trained run, or {shuffle: ...} of the project"
        )
    wanted = {"shuffle": int(conditions["shuffle"])}
    if conditions.get("trainset_index"):
        wanted["trainset_index"] = int(conditions["trainset_index"])
    config = _project(conditions, place, host, wanted).config_path()
    if config is None or not config.is_file():
        raise _wrong(f"names the shuffle {wanted['shuffle']}, which has no config")
    return TrainedRun.open(config, host), snapshot


def _project(
    conditions: Mapping[str, Any], place: Path, host: PluginHost, wanted: Mapping[str, Any]
) -> PoseDataset:
    if conditions.get("config"):
        source = place.parent / Path(str(conditions["config"])).expanduser()
        return dataset_of_source(source, host, wanted)
    block = dataset_by_place(place, host)
    if block is None:
        raise _wrong(
            "names a shuffle, but this config lies in no project; add `config`, the path of the "
            "project's config.yaml"
        )
    dataset: PoseDataset = build(host, "datasets", {**block, **wanted}, DatasetContext(), key=KEY)
    return dataset


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem(KEY, message)])
