"""Reading the reference values, which DeepLabCut computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcore.interfaces import Labels


def load(shared: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of one reference file, and what is said about them."""
    with np.load(shared / "peer" / "reference" / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return arrays, json.loads(str(arrays.pop("meta")))


def read_labels(arrays: dict[str, Any]) -> Labels:
    """The labels of a reference file."""
    names = ("keypoints", "keypoints_unique", "individual_ids", "boxes", "area")
    return Labels(*(torch.from_numpy(arrays[f"labels/{name}"]) for name in names))


def without_type(block: dict[str, Any]) -> dict[str, Any]:
    """The options of a config block."""
    return {key: value for key, value in block.items() if key not in ("type", "weight")}
