"""Tasks and labels for tests, and the reference values, which DeepLabCut computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcore.interfaces import Labels, PoseTask


def load(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of one reference file, and what is said about them."""
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(str(arrays.pop("meta")))


def tensors(arrays: Mapping[str, Any], prefix: str) -> dict[str, Tensor]:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {
        name.removeprefix(prefix): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def read_labels(arrays: Mapping[str, Any]) -> Labels:
    """The labels of a reference file."""
    labels = tensors(arrays, "labels/")
    return Labels(
        keypoints=labels["keypoints"],
        unique_keypoints=labels["keypoints_unique"],
        individual_ids=labels["individual_ids"],
        boxes=labels["boxes"],
        areas=labels["area"],
    )


def task_with(keypoints: int, individuals: int) -> PoseTask:
    """A task of so many of each."""
    return PoseTask(
        keypoints=tuple(f"point_{k}" for k in range(keypoints)),
        individuals=tuple(f"individual_{n}" for n in range(individuals)),
    )


def make_labels(*individuals: Any) -> Labels:
    """Labels of one image from individuals, each a list of x, y, visibility."""
    keypoints = torch.tensor([individuals], dtype=torch.float32)
    count = len(individuals)
    return Labels(
        keypoints,
        torch.zeros(1, 0, 3),
        torch.arange(count)[None],
        torch.zeros(1, count, 4),
        torch.ones(1, count),
    )
