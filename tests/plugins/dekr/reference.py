"""Reading the reference values, which DeepLabCut computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcore.interfaces import Labels, PoseTask

Arrays = Mapping[str, Any]


def load(shared: Path, name: str) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of one reference file, and what is said about them."""
    with np.load(shared / "peer" / "reference" / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(str(arrays.pop("meta")))


def read_labels(arrays: Arrays) -> Labels:
    """The labels of a reference file; each individual has its centre as one more keypoint."""
    return Labels(
        keypoints=torch.from_numpy(arrays["labels/keypoints"]),
        unique_keypoints=torch.from_numpy(arrays["labels/keypoints_unique"]),
        individual_ids=torch.from_numpy(arrays["labels/individual_ids"]),
        boxes=torch.from_numpy(arrays["labels/boxes"]),
        areas=torch.from_numpy(arrays["labels/area"]),
    )


def task_with(keypoints: int, individuals: int) -> PoseTask:
    """A task of that size."""
    return PoseTask(
        keypoints=tuple(f"point_{k}" for k in range(keypoints)),
        individuals=tuple(f"individual_{n}" for n in range(individuals)),
    )


def outputs(arrays: Arrays, prefix: str = "output/") -> dict[str, Tensor]:
    """The outputs of the head in a reference file."""
    return {
        name: torch.from_numpy(arrays[f"{prefix}{name}"].copy()) for name in ("heatmap", "offset")
    }
