"""Whole conditional models as DeepLabCut configures them, and what it gets from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcore.building import build
from dlcore.config import yaml
from dlcore.interfaces import Backbone, PoseTask
from dlcore.plugin_host import PluginHost
from tests.integration.test_reference_models import keyed_weights

PREFIX = "backbone."


def model_block(shared: Path, net_type: str) -> dict[str, Any]:
    """`model` of a config that DeepLabCut wrote."""
    values: Any = yaml.read(shared / "peer/configs/multi" / f"{net_type}.yaml").values
    block: dict[str, Any] = values["model"]
    return block


def build_backbone(host: PluginHost, shared: Path, net_type: str) -> Any:
    """The backbone of such a config, without pretrained weights."""
    block = {**model_block(shared, net_type)["backbone"], "pretrained": False}
    if block["type"] == "CondPreNet":
        del block["pretrained"]
    return build(host, "backbones", block, key="model.backbone")


def backbone_shapes(shared: Path, net_type: str) -> dict[str, tuple[int, ...]]:
    """Names, without their prefix, and shapes of the tensors of a backbone, in order."""
    file = shared / "peer/reference/state_dicts" / f"{net_type}.json"
    return {
        key.removeprefix(PREFIX): tuple(shape)
        for key, (shape, _) in json.loads(file.read_text())["shared"].items()
        if key.startswith(PREFIX)
    }


def outputs(shared: Path, net_type: str) -> tuple[Mapping[str, Any], Tensor, Tensor, int]:
    """Outputs of a model by "head/output", images, rough poses, and the seed of its weights."""
    with np.load(shared / "peer/reference/forward" / f"multi_{net_type}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    meta = json.loads(str(arrays["meta"]))
    images = np.random.RandomState(meta["seed"]).standard_normal(meta["input_shape"])
    found = {
        key.removeprefix("output/"): value
        for key, value in arrays.items()
        if key.startswith("output/")
    }
    conditions = torch.from_numpy(arrays["cond_kpts"][:, 0])
    return found, torch.from_numpy(images.astype(np.float32)), conditions, meta["seed"]


class Model(nn.Module):
    """A backbone and a head, under the names of a whole model."""

    def __init__(self, backbone: Any, head: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({"bodypart": head})

    def forward(self, images: Tensor, conditions: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = self.heads["bodypart"](self.backbone(images, conditions))
        return found


def expect_outputs_of_deeplabcut(host: PluginHost, shared: Path, net_type: str) -> None:
    """Compare a whole model with keyed weights, within 1e-4 of the outputs' standard deviation."""
    expected, images, conditions, seed = outputs(shared, net_type)
    backbone = build_backbone(host, shared, net_type)
    block = model_block(shared, net_type)["heads"]["bodypart"]
    task = PoseTask(tuple(f"point{number}" for number in range(conditions.shape[1])))
    model = Model(backbone, build(host, "heads", block, backbone.features, task))
    model.load_state_dict(keyed_weights(model, seed))

    with torch.no_grad():
        found = model.eval()(images, conditions)

    assert {f"bodypart/{name}" for name in found} == set(expected)
    for name, output in found.items():
        reference = expected[f"bodypart/{name}"]
        assert abs(output.numpy() - reference).max() <= 1e-4 * reference.std(), name


class WithPose(Backbone):
    """A conditional backbone with the same rough pose for every image: an ordinary one."""

    def __init__(self, backbone: Any, pose: Tensor) -> None:
        super().__init__()
        self.backbone = backbone
        self.features = backbone.features
        self.register_buffer("pose", pose)

    def forward(self, images: Tensor) -> Any:
        pose: Any = self.pose
        return self.backbone(images, pose.expand(len(images), -1, -1))
