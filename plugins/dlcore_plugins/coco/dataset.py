"""The dataset `COCOLoader`: keypoints in COCO's format."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore import DataError
from dlcore.interfaces import DatasetContext, PoseDataset, PoseTask, Record
from dlcore_plugins.coco.annotations import CocoFile, Individual, LabelledImage, read_coco

_TEST_NAMES = ("test.json", "val.json", "validation.json")


class COCOLoader(PoseDataset):
    """Labelled images in COCO's format: one JSON file per split, and a folder of images.

    Individuals of an image are told apart by their order; where an annotation names its
    `individual` or `track_id` and the run's config lists that name, the name counts. Crowds are
    left out. Boxes are those of the file; where there is none, it is made from the keypoints.

    Args:
        root: Folder of the data, absolute, or relative to the folder of the run's config file or
            else to the current folder.
        train: Labels for training, in `root` or in its folder `annotations`.
        test: Labels for testing; null if there are none.
        validation: Labels that choose the best snapshot instead of those for testing.
        images: Folder of the images inside `root`; they may also lie in `root` itself.

    Raises:
        DataError: If the names of keypoints or individuals cannot be read.
    """

    def __init__(
        self,
        context: DatasetContext,
        *,
        root: str,
        train: str = "train.json",
        test: str | None = "test.json",
        validation: str | None = None,
        images: str = "images",
    ) -> None:
        self._root = _locate(root, context)
        if not self._root.is_dir():
            raise DataError(f"there is no folder {str(self._root)!r}; set dataset.root")
        named = {"train": train, "test": test, "validation": validation}
        self._files = {split: name for split, name in named.items() if name is not None}
        self._images = images
        self._box_margin = context.box_margin
        self._read: dict[str, CocoFile] = {}
        self.task = self._task(context.metadata)

    @classmethod
    def options_for_source(cls, source: Path) -> dict[str, Any] | None:
        """A folder with train.json, in it or in its folder `annotations`; or that file."""
        if source.is_file() and source.suffix == ".json":
            folder = source.parent
            root = folder.parent if folder.name == "annotations" else folder
            train = source.name
        else:
            root, train = source, "train.json"
        if _find_labels(root, train) is None:
            return None
        options: dict[str, Any] = {"root": str(root.resolve())}
        if train != "train.json":
            options["train"] = train
        found = [name for name in _TEST_NAMES if _find_labels(root, name) is not None]
        if found[:1] != ["test.json"]:
            options["test"] = found[0] if found else None
        elif len(found) > 1:
            options["validation"] = found[1]
        return options

    def splits(self) -> tuple[str, ...]:
        """Those of "train", "test" and "validation" that hold images."""
        return tuple(split for split in self._files if self._file(split).images)

    def records(self, split: str) -> list[Record]:
        """The images of a split in the order of its file, also those without any label.

        Raises:
            DataError: If the split is unknown or empty, files are missing or damaged, or labels
                contradict the run's config.
        """
        if split not in self._files:
            raise DataError(f"there are no labels for {split}; set dataset.{split}")
        file = self._file(split)
        if not file.images:
            raise DataError(f"{str(file.path)!r} lists no images")
        paths = [self._find_image(image.file_name) for image in file.images]
        missing = [
            image.file_name
            for image, path in zip(file.images, paths, strict=True)
            if not path.is_file()
        ]
        if missing:
            first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise DataError(
                f"{len(missing)} of the {len(paths)} images of {str(file.path)!r} are missing in "
                f"{str(self._root)!r}: {first}; set dataset.root and dataset.images"
            )
        channels = self._channels(file)
        return [
            self._record(image, path, channels, file)
            for image, path in zip(file.images, paths, strict=True)
        ]

    def _task(self, metadata: Mapping[str, Any]) -> PoseTask:
        if metadata.get("unique_bodyparts"):
            raise DataError(
                "COCO data have no unique bodyparts; empty metadata.unique_bodyparts, or list "
                "them among the bodyparts"
            )
        file = self._file("train")
        named = tuple(str(name) for name in metadata.get("bodyparts") or ())
        keypoints = named or file.keypoints
        individuals = tuple(str(name) for name in metadata.get("individuals") or ())
        if not named or not individuals:
            most = max(
                (len(i.individuals) for s in self._files for i in self._file(s).images), default=1
            )
            individuals = tuple(f"individual{i}" for i in range(max(most, 1)))
        index = {name: i for i, name in enumerate(keypoints)}
        return PoseTask(
            keypoints=keypoints,
            individuals=individuals,
            with_identity=bool(named and metadata.get("with_identity")),
            skeleton=_renamed(file.skeleton, file.keypoints, index),
            symmetries=_renamed(file.symmetries, file.keypoints, index),
        )

    def _file(self, split: str) -> CocoFile:
        if split not in self._read:
            name = self._files[split]
            path = _find_labels(self._root, name)
            if path is None:
                raise DataError(
                    f"there are no labels for {split}: neither "
                    f"{str(self._root / name)!r} nor {str(self._root / 'annotations' / name)!r} "
                    f"exists; set dataset.{split}"
                )
            self._read[split] = read_coco(path)
        return self._read[split]

    def _find_image(self, file_name: str) -> Path:
        """Where an image lies; names of another machine are looked up in the images folder."""
        name = file_name.replace("\\", "/")
        folder = self._root / self._images
        candidates = [folder / name, self._root / name]
        if PureWindowsPath(name).root:  # absolute, on this or another system
            candidates.append(folder / PureWindowsPath(name).name)
        return next((path for path in candidates if path.is_file()), candidates[0])

    def _channels(self, file: CocoFile) -> list[int]:
        """The file's index of each keypoint of the task."""
        for name in self.task.keypoints:
            if name not in file.keypoints:
                near = difflib.get_close_matches(name, file.keypoints, n=1)
                hint = (
                    f"did you mean {near[0]!r}?" if near else f"it has {', '.join(file.keypoints)}"
                )
                raise DataError(
                    f"bodypart {name!r} is not among the keypoints of {str(file.path)!r}; {hint}"
                )
        return [file.keypoints.index(name) for name in self.task.keypoints]

    def _record(
        self, image: LabelledImage, path: Path, channels: Sequence[int], file: CocoFile
    ) -> Record:
        points = [i.keypoints[channels] for i in image.individuals]
        kept = self._kept(image, points)
        individuals = [image.individuals[n] for n in kept]
        shape = (len(kept), len(channels), 3)
        keypoints = np.array([points[n] for n in kept], dtype=np.float32).reshape(shape)
        boxes = [
            individual.box if individual.box is not None else self._box(place, image.size)
            for individual, place in zip(individuals, keypoints, strict=True)
        ]
        return Record(
            image=path,
            size=image.size,
            keypoints=keypoints,
            unique_keypoints=np.zeros((0, 3), dtype=np.float32),
            individual_ids=self._individual_ids(individuals, image, file),
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            key=tuple(part for part in image.file_name.replace("\\", "/").split("/") if part),
        )

    def _kept(self, image: LabelledImage, points: Sequence[npt.NDArray[np.float32]]) -> list[int]:
        """Individuals with a labelled keypoint; and as many as there is place for with a box alone.

        The latter teach a detector; nothing else learns from them.
        """
        labelled = [n for n, p in enumerate(points) if (p[:, 2] > 0).any()]
        boxed = [
            n
            for n, individual in enumerate(image.individuals)
            if n not in labelled and individual.has_box
        ]
        return sorted(labelled + boxed[: max(len(self.task.individuals) - len(labelled), 0)])

    def _box(
        self, keypoints: npt.NDArray[np.float32], size: tuple[int, int] | None
    ) -> npt.NDArray[np.float32]:
        """The extent of the labelled keypoints (K, 3) and a margin, within the image."""
        places = keypoints[keypoints[:, 2] > 0, :2]
        low = np.maximum(places.min(axis=0) - self._box_margin, 0)
        high = places.max(axis=0) + self._box_margin
        if size is not None:
            high = np.minimum(high, size)
        return np.concatenate([low, high - low]).astype(np.float32)

    def _individual_ids(
        self, individuals: Sequence[Individual], image: LabelledImage, file: CocoFile
    ) -> npt.NDArray[np.int64]:
        """The task's index of each individual: by name, else the first that is free."""
        names = self.task.individuals
        if len(individuals) > len(names):
            raise DataError(
                f"{file.path}: image {image.file_name!r} has {len(individuals)} labelled "
                f"individuals, but the config has place for {len(names)}; name them in "
                f"metadata.individuals"
            )
        ids: dict[int, int] = {}
        for i, individual in enumerate(individuals):
            known = individual.name in names
            if known and names.index(str(individual.name)) not in ids.values():
                ids[i] = names.index(str(individual.name))
            elif self.task.with_identity:
                problem = "comes twice in its image" if known else "is not in metadata.individuals"
                raise DataError(
                    f"{file.path}: {individual.label}: individual {individual.name!r} {problem}; "
                    f"name every individual, or set metadata.with_identity to false"
                )
        free = iter(n for n in range(len(names)) if n not in ids.values())
        return np.array(
            [ids[i] if i in ids else next(free) for i in range(len(individuals))], dtype=np.int64
        )


def _locate(root: str, context: DatasetContext) -> Path:
    path = Path(root).expanduser()
    if context.config_path is not None and not path.is_absolute():
        beside = context.config_path.parent / path
        if beside.is_dir():
            return beside
    return path


def _find_labels(root: Path, name: str) -> Path | None:
    candidates = (root / name, root / "annotations" / name)
    return next((path for path in candidates if path.is_file()), None)


def _renamed(
    pairs: Sequence[tuple[int, int]], names: Sequence[str], index: Mapping[str, int]
) -> tuple[tuple[int, int], ...]:
    """Pairs of indices into `names` as pairs of indices by `index`, where it has both."""
    named = [(names[a], names[b]) for a, b in pairs]
    return tuple((index[a], index[b]) for a, b in named if a in index and b in index)
