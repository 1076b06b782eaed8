"""Reading what DeepLabCut's models hold and give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.integration.test_reference_models import keyed_weights

PREFIX = "backbone."


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def backbone_shapes(shared: Path, net_type: str) -> dict[str, tuple[int, ...]]:
    """Names, without their prefix, and shapes of the tensors of a backbone, in order."""
    file = shared / "peer/reference/state_dicts" / f"{net_type}.json"
    return {
        key.removeprefix(PREFIX): tuple(shape)
        for key, (shape, _) in json.loads(file.read_text())["shared"].items()
        if key.startswith(PREFIX)
    }


def outputs(shared: Path, name: str) -> tuple[Mapping[str, Any], Tensor, int]:
    """Outputs of a model by "head/output", the images, and the seed of its weights."""
    with np.load(shared / "peer/reference/forward" / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    meta = json.loads(str(arrays["meta"]))
    images = np.random.RandomState(meta["seed"]).standard_normal(meta["input_shape"])
    found = {
        key.removeprefix("output/"): value
        for key, value in arrays.items()
        if key.startswith("output/")
    }
    return found, torch.from_numpy(images.astype(np.float32)), meta["seed"]


class Model(nn.Module):
    """A backbone and layers behind it, under the names of a whole model."""

    def __init__(self, backbone: nn.Module, **layers: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({"bodypart": nn.ModuleDict(layers)})

    def load_keyed_weights(self, seed: int) -> Model:
        self.load_state_dict(keyed_weights(self, seed))
        return self.eval()
