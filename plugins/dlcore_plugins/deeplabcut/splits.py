"""Which images are for training and which for testing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcore import DataError
from dlcore_plugins.deeplabcut.pickles import load_plain

LOGGER = logging.getLogger("dlcore")


def read_split(path: Path, num_rows: int) -> dict[str, list[int]]:
    """The rows of the merged label table that are "train" and "test", from a shuffle's pickle.

    Args:
        path: A `Documentation_data-*.pickle`.
        num_rows: Rows of the table.

    Raises:
        DataError: If the file is missing, damaged, refused, or of another table.
    """
    content = load_plain(path)
    if not isinstance(content, (list, tuple)) or len(content) < 3:
        raise DataError(f"{str(path)!r} does not hold the split of a shuffle")
    split = {}
    for name, indices in (("train", content[1]), ("test", content[2])):
        try:
            rows = np.asarray(indices).reshape(-1)
        except ValueError:
            rows = np.zeros(1)
        if rows.size and rows.dtype.kind not in "iu":
            raise DataError(f"{str(path)!r} does not hold the rows of the {name} split")
        split[name] = [int(row) for row in rows]
        outside = [row for row in split[name] if not 0 <= row < num_rows]
        if outside:
            raise DataError(
                f"{str(path)!r} puts row {outside[0]} into the {name} split, but the label table "
                f"has {num_rows} rows: labels were changed after the shuffle was made; run "
                f"DeepLabCut's create_training_dataset again"
            )
    both = set(split["train"]) & set(split["test"])
    if both:
        LOGGER.warning("%d images are in the train and in the test split of %s", len(both), path)
    return split


def make_split(
    images: Sequence[tuple[str, ...]], fraction: float, seed: int
) -> dict[str, list[int]]:
    """A split that depends on nothing but the names of the images, the fraction and the seed.

    Each image is ranked by a hash of its name, so that adding images moves few others between
    the splits. Two images or more make two splits that are not empty.

    Args:
        images: The image of each row.
        fraction: Share of the images for training, above 0 and below 1.
        seed: Chooses among the splits of that size.
    """

    def rank(row: int) -> bytes:
        return hashlib.sha256(f"{seed}/{'/'.join(images[row])}".encode()).digest()

    ranked = sorted(range(len(images)), key=rank)
    num_test = round((1 - fraction) * len(images))
    num_test = min(max(num_test, 1), len(images) - 1) if len(images) > 1 else 0
    return {"train": sorted(ranked[num_test:]), "test": sorted(ranked[:num_test])}
