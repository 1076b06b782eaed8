"""Read COCO's JSON: images, and the keypoints and boxes of each individual.

Every mistake in a file is an error that names the file and the entry, so that nothing is trained on
half of what was labelled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcore import DataError
from dlcore.interfaces.symmetry import symmetries_from_names

_VISIBILITIES = (-1, 0, 1, 2)


@dataclass(frozen=True)
class Individual:
    """One labelled individual.

    Attributes:
        label: What to call the annotation in messages.
        keypoints: (K, 3) float32 x, y, visibility; what is not labelled has visibility 0.
        box: (4,) float32 x, y, width, height, or None.
        name: Who it is (`individual` or `track_id`), or None.
    """

    label: str
    keypoints: npt.NDArray[np.float32]
    box: npt.NDArray[np.float32] | None
    name: str | None

    @property
    def is_labelled(self) -> bool:
        """Whether it has a labelled keypoint."""
        return bool((self.keypoints[:, 2] > 0).any())

    @property
    def has_box(self) -> bool:
        """Whether it has a box with an area."""
        return self.box is not None and bool((self.box[2:] > 0).all())


@dataclass(frozen=True)
class LabelledImage:
    """One image and the individuals in it, in the order of the file.

    Attributes:
        file_name: As in the file: relative or absolute, perhaps of another machine.
        size: (width, height), or None where the file does not say.
        individuals: Those that have a labelled keypoint, or a box; crowds are left out.
    """

    file_name: str
    size: tuple[int, int] | None
    individuals: tuple[Individual, ...]


@dataclass(frozen=True)
class CocoFile:
    """The content of one JSON file.

    Attributes:
        path: The file.
        keypoints: Names of the keypoints.
        skeleton: Pairs of indices into `keypoints`, from 0.
        symmetries: Pairs of indices that swap in a mirror image, from `swap_pairs` or from names.
        images: In the order of the file.
    """

    path: Path
    keypoints: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...]
    symmetries: tuple[tuple[int, int], ...]
    images: tuple[LabelledImage, ...]


def read_coco(path: Path) -> CocoFile:
    """Read and check a file.

    Raises:
        DataError: If it is missing, damaged or contradicts itself.
    """
    content = _read_json(path)
    categories = _entries(content, "categories", path)
    images = _entries(content, "images", path)
    annotations = _entries(content, "annotations", path)
    pose_categories = [c for c in categories if c.get("keypoints")]
    if not pose_categories:
        raise DataError(f"{path}: no category has keypoints; this is not a keypoint dataset")
    names = _keypoint_names(pose_categories, path)
    sizes = _image_sizes(images, path)
    individuals: dict[Any, list[Individual]] = {image_id: [] for image_id in sizes}
    wanted = {_id(c) for c in pose_categories}
    known = {_id(c) for c in categories}
    seen: set[str] = set()
    for i, annotation in enumerate(annotations):
        label = _label(annotation, i)
        _check_ids(annotation, label, seen, individuals.keys(), known, path)
        if annotation.get("iscrowd") or repr(annotation["category_id"]) not in wanted:
            continue
        image_id = annotation["image_id"]
        individual = _individual(annotation, label, len(names), sizes[image_id], path)
        if individual.is_labelled or individual.has_box:
            individuals[image_id].append(individual)
    return CocoFile(
        path,
        names,
        _skeleton(pose_categories[0], len(names), path),
        _symmetries(pose_categories[0], names, path),
        tuple(
            LabelledImage(
                str(image["file_name"]), sizes[image["id"]], tuple(individuals[image["id"]])
            )
            for image in images
        ),
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{str(path)!r} is not a text file in UTF-8") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise DataError(f"{path}: not valid JSON: nested too deeply") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: COCO labels are a mapping with images, annotations, categories")
    return content


def _entries(content: Mapping[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise DataError(f"{path}: {key!r} is missing or is not a list of mappings")
    return entries


def _keypoint_names(categories: Sequence[Mapping[str, Any]], path: Path) -> tuple[str, ...]:
    first = categories[0]["keypoints"]
    if not isinstance(first, list) or len(set(map(str, first))) != len(first):
        raise DataError(f"{path}: keypoints of category {_id(categories[0])} must be unique names")
    for category in categories[1:]:
        if category["keypoints"] != first:
            raise DataError(
                f"{path}: categories {_id(categories[0])} and {_id(category)} have different "
                f"keypoints; put them into files of their own"
            )
    return tuple(str(name) for name in first)


def _image_sizes(
    images: Sequence[Mapping[str, Any]], path: Path
) -> dict[Any, tuple[int, int] | None]:
    """Sizes by image id."""
    sizes: dict[Any, tuple[int, int] | None] = {}
    for i, image in enumerate(images):
        for key in ("id", "file_name"):
            if not isinstance(image.get(key), (int, str)):
                raise DataError(f"{path}: images[{i}] has no {key!r}")
        if image["id"] in sizes:
            raise DataError(f"{path}: two images have the id {image['id']!r}")
        size = image.get("width"), image.get("height")
        if size == (None, None):
            sizes[image["id"]] = None
            continue
        if not all(isinstance(side, (int, float)) and side > 0 for side in size):
            raise DataError(f"{path}: image {image['id']!r}: width and height are {size!r}")
        sizes[image["id"]] = int(image["width"]), int(image["height"])
    return sizes


def _check_ids(
    annotation: Mapping[str, Any],
    label: str,
    seen: set[str],
    images: Container[Any],
    categories: set[str],
    path: Path,
) -> None:
    if "id" in annotation:
        if label in seen:
            raise DataError(f"{path}: two annotations have the id {annotation['id']!r}")
        seen.add(label)
    for key in ("image_id", "category_id"):
        value = annotation.get(key)
        if not isinstance(value, (int, str)):
            raise DataError(f"{path}: {label} has no {key!r}")
        if value not in images if key == "image_id" else repr(value) not in categories:
            raise DataError(f"{path}: {label}: there is no {key[:-3]} with the id {value!r}")


def _individual(
    annotation: Mapping[str, Any],
    label: str,
    num_keypoints: int,
    size: tuple[int, int] | None,
    path: Path,
) -> Individual:
    values = annotation.get("keypoints") or [0] * (3 * num_keypoints)
    try:
        flat = np.asarray(values, dtype=np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {label}: keypoints must be numbers") from error
    if len(flat) != 3 * num_keypoints:
        raise DataError(
            f"{path}: {label} has {len(flat)} numbers for {num_keypoints} keypoints; "
            f"x, y, visibility of each make {3 * num_keypoints}"
        )
    points = flat.reshape(num_keypoints, 3)
    points[~np.isfinite(points).all(axis=1)] = 0
    odd = sorted(set(points[:, 2].tolist()) - set(_VISIBILITIES))
    if odd:
        raise DataError(f"{path}: {label}: visibility {odd[0]:g} is none of 0, 1, 2")
    if size is not None:
        outside = (points[:, :2] < 0).any(axis=1) | (points[:, :2] >= size).any(axis=1)
        points[outside & (points[:, 2] > 0), 2] = 0
    name = annotation.get("individual", annotation.get("track_id"))
    return Individual(
        label,
        points,
        _box(annotation.get("bbox"), label, path),
        None if name is None else str(name),
    )


def _box(value: object, label: str, path: Path) -> npt.NDArray[np.float32] | None:
    """A given box, or None where there is none or it has no area."""
    if value is None or value == []:
        return None
    numbers = isinstance(value, list) and all(isinstance(v, (int, float)) for v in value)
    if not isinstance(value, list) or not numbers or len(value) != 4:
        raise DataError(f"{path}: {label}: bbox must be x, y, width, height, it is {value!r}")
    if not all(math.isfinite(v) for v in value) or value[2] <= 0 or value[3] <= 0:
        return None
    return np.array(value, dtype=np.float32)


def _skeleton(
    category: Mapping[str, Any], num_keypoints: int, path: Path
) -> tuple[tuple[int, int], ...]:
    """COCO counts the ends of limbs from 1; a file that has a 0 counts from 0."""
    pairs = _pairs(category, "skeleton", path)
    first = 0 if any(0 in pair for pair in pairs) else 1
    return _from_zero(pairs, first, num_keypoints, "skeleton", path)


def _symmetries(
    category: Mapping[str, Any], names: Sequence[str], path: Path
) -> tuple[tuple[int, int], ...]:
    """`swap_pairs` count from 0; a file whose highest index is K counts from 1."""
    if category.get("swap_pairs") is None:
        return symmetries_from_names(names)
    pairs = _pairs(category, "swap_pairs", path)
    first = 1 if any(len(names) in pair for pair in pairs) else 0
    return _from_zero(pairs, first, len(names), "swap_pairs", path)


def _pairs(category: Mapping[str, Any], key: str, path: Path) -> list[tuple[int, int]]:
    value = category.get(key) or []
    valid = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(i, int) for i in pair)
        for pair in value
    )
    if not valid:
        raise DataError(f"{path}: {key} of category {_id(category)} must be pairs of numbers")
    return [(pair[0], pair[1]) for pair in value]


def _from_zero(
    pairs: Sequence[tuple[int, int]], first: int, num_keypoints: int, key: str, path: Path
) -> tuple[tuple[int, int], ...]:
    for pair in pairs:
        if not all(first <= i < first + num_keypoints for i in pair):
            raise DataError(
                f"{path}: {key} has {list(pair)}, but there are {num_keypoints} keypoints"
            )
    return tuple((a - first, b - first) for a, b in pairs)


def _label(annotation: Mapping[str, Any], index: int) -> str:
    if "id" in annotation:
        return f"annotation {annotation['id']!r}"
    return f"annotations[{index}]"


def _id(category: Mapping[str, Any]) -> str:
    return repr(category.get("id"))
