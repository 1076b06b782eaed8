"""Reading the reference values, which DeepLabCut computed, and comparing with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcore.interfaces import Labels, PoseTask, TargetGenerator
from dlcore_plugins.heatmap.targets import HeatmapGaussianGenerator, HeatmapPlateauGenerator

Arrays = Mapping[str, Any]

GENERATORS = {cls.__name__: cls for cls in (HeatmapGaussianGenerator, HeatmapPlateauGenerator)}


def load(shared: Path, name: str) -> tuple[Arrays, dict[str, Any]]:
    """The arrays of one reference file, and what is said about them."""
    with np.load(shared / "peer" / "reference" / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(str(arrays.pop("meta")))


def read_labels(arrays: Arrays) -> Labels:
    """The labels of a reference file."""
    return Labels(
        keypoints=torch.from_numpy(arrays["labels/keypoints"]),
        unique_keypoints=torch.from_numpy(arrays["labels/keypoints_unique"]),
        individual_ids=torch.from_numpy(arrays["labels/individual_ids"]),
        boxes=torch.from_numpy(arrays["labels/boxes"]),
        areas=torch.from_numpy(arrays["labels/area"]),
    )


def task_of(labels: Labels) -> PoseTask:
    """A task with as many of everything as there are in the labels."""
    _, individuals, keypoints, _ = labels.keypoints.shape
    return PoseTask(
        keypoints=tuple(f"point_{k}" for k in range(keypoints)),
        unique_keypoints=tuple(f"corner_{u}" for u in range(labels.unique_keypoints.shape[1])),
        individuals=tuple(f"individual_{n}" for n in range(individuals)),
    )


def build_generator(block: Mapping[str, Any], labels: Labels) -> TargetGenerator:
    """The generator of a config block."""
    options = dict(block)
    return GENERATORS[options.pop("type")](task_of(labels), **options)
