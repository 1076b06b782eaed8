"""Small labelled images on disk, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from dlcore.interfaces import PoseTask, Record

TASK = PoseTask(("nose", "tail"), individuals=("mouse_1", "mouse_2"))


def make_record(image: Path, size: tuple[int, int] | None = (40, 30), individuals: int = 1):
    """A record whose keypoints lie inside an image of that size, but nothing on disk."""
    keypoints = np.zeros((individuals, 2, 3), np.float32)
    keypoints[:, 0] = (5.5, 7.5, 2)
    keypoints[:, 1] = (30.5, 20.5, 2)
    return Record(
        image, size, keypoints, np.zeros((0, 3), np.float32), np.arange(individuals, dtype=np.int64)
    )


def write_records(folder: Path, sizes: list[tuple[int, int]], *, sized: bool = True):
    """One record and one PNG of random pixels per (width, height)."""
    rng = np.random.default_rng(3)
    records = []
    for index, (width, height) in enumerate(sizes):
        path = folder / f"img{index:03d}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
        records.append(make_record(path, (width, height) if sized else None))
    return records
