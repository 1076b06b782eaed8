"""Whole models for crops, as DeepLabCut's files describe them, and what DeepLabCut made of them.

The file's detector is left out: what finds the crops is no matter here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from dlcore.config.loading import load_config
from dlcore.config.yaml import read
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask
from dlcore.model import ModelOutputs, PoseModel
from dlcore.plugin_host import PluginHost
from tests.integration.test_reference_models import TOLERANCE, keyed_weights
from tests.integration.test_reference_steps import labels_of_reference
from tests.plugins.simcc.reference import load, read_labels


def build(shared: Path, host: PluginHost, folder: Path, config: str) -> PoseModel:
    """The model of a reference config."""
    values = dict(read(shared / "peer" / "configs" / config).values)
    del values["detector"]
    path = folder / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(values))
    loaded = load_config(path, host).config
    return build_model(host, loaded, _task(loaded.metadata.bodyparts), fresh=False)


def expect_same_names(model: PoseModel, shared: Path, name: str) -> None:
    """The state dict has DeepLabCut's keys and shapes, in its order: optimizers rely on it."""
    kind, _, net = name.partition("_")
    path = shared / "peer" / "reference" / "state_dicts" / f"{net}.json"
    expected = json.loads(path.read_text())
    wanted = expected["shared"] | expected["heads"][kind]
    found = [(key, list(value.shape)) for key, value in model.state_dict().items()]
    assert found == [(key, shape) for key, (shape, _) in wanted.items()]


def expect_same_outputs(model: PoseModel, arrays: Mapping[str, Any], meta: dict[str, Any]) -> None:
    """Outputs and poses are those of DeepLabCut for the same weights and images."""
    model.load_state_dict(keyed_weights(model, meta["seed"]))
    model.eval()
    with torch.no_grad():
        outputs = model(_images(meta))
        poses = model.predict(outputs)
    assert {head: float(stride) for head, stride in model.strides.items()} == meta["strides"]
    for name, output in outputs["bodypart"].items():
        expected = arrays[f"output/bodypart/{name}"]
        assert np.abs(output.numpy() - expected).max() <= TOLERANCE * expected.std(), name
    expected = arrays["prediction/bodypart/poses"]
    np.testing.assert_allclose(poses["bodypart"]["poses"].numpy(), expected, atol=0.01)


def expect_same_losses(model: PoseModel, shared: Path, name: str) -> None:
    """Targets and losses are those of DeepLabCut for the same outputs and labels."""
    arrays, meta = load(shared, f"targets_by_config/{name}")
    outputs: ModelOutputs = {
        "bodypart": {
            output: torch.from_numpy(arrays[f"output/bodypart/{output}"])
            for output in model.heads["bodypart"].output_names
        }
    }
    targets = model.targets(outputs, read_labels(arrays))
    for output, target in targets["bodypart"].items():
        expected = torch.from_numpy(arrays[f"target/bodypart/{output}/target"])
        expected = expected.reshape(target.target.shape)
        torch.testing.assert_close(target.target, expected, rtol=0, atol=1e-6)
    losses = {key: value.item() for key, value in model.losses(outputs, targets).items()}
    assert {k: losses[k] for k in meta["losses"]} == pytest.approx(meta["losses"], rel=1e-5)


def expect_same_first_step(model: PoseModel, shared: Path, name: str) -> None:
    """Losses and gradients of a training step are those of DeepLabCut."""
    path = shared / "peer" / "reference" / "steps" / f"{name}.json"
    expected = json.loads(path.read_text())
    model.load_state_dict(keyed_weights(model, expected["seed"]))
    model.train()
    names = [f"point_{k}" for k in range(6)]
    labels = labels_of_reference(expected["seed"], _task(names), expected["input_shape"][2:])
    outputs = model(_images(expected))
    losses = model.losses(outputs, model.targets(outputs, labels))
    losses["total_loss"].backward()
    norms = {k: p.grad.norm().item() for k, p in model.named_parameters() if p.grad is not None}

    first = expected["losses"][0]
    assert {k: losses[k].item() for k in first} == pytest.approx(first, rel=1e-4)
    reference = expected["gradient_norms_first_step"]
    assert norms == pytest.approx(reference, rel=1e-3, abs=1e-5 * max(reference.values()))


def _task(keypoints: list[str]) -> PoseTask:
    return PoseTask(tuple(keypoints))


def _images(meta: dict[str, Any]) -> Tensor:
    rng = np.random.RandomState(meta["seed"])
    return torch.from_numpy(rng.standard_normal(tuple(meta["input_shape"])).astype(np.float32))
