"""A training step of whole conditional models against DeepLabCut's, on one fixed batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask
from tests.integration.test_reference_models import keyed_weights
from tests.integration.test_reference_steps import labels_of_reference


def poses_of_reference(seed: int, count: int, joints: int, size: tuple[int, int]) -> Tensor:
    """The rough poses (B, K, 3) that the reference was made with."""
    rng = np.random.RandomState(seed + 1)
    height, width = size
    columns = [rng.uniform(0.1, 0.9, (count, joints)) * side for side in (width, height)]
    return torch.from_numpy(np.stack([*columns, np.full((count, joints), 2.0)], axis=2)).float()


@pytest.mark.parametrize(
    ("net_type", "tolerance"),
    [
        ("ctd_prenet_rtmpose_s", 1e-3),
        ("ctd_coam_w32", 0.06),  # what drops out is left to chance, there and here
    ],
)
def test_the_first_step_is_that_of_deeplabcut(
    shared: Path, host: Any, net_type: str, tolerance: float
) -> None:
    file = shared / f"peer/reference/steps/multi_{net_type}.json"
    expected = json.loads(file.read_text())
    config = load_config(shared / "peer/configs" / expected["config"], host).config
    task = PoseTask(tuple(config.metadata.bodyparts))
    model = build_model(host, config, task, fresh=False)
    model.load_state_dict(keyed_weights(model, expected["seed"]))
    count, _, *size = expected["input_shape"]
    pixels = np.random.RandomState(expected["seed"]).standard_normal(expected["input_shape"])
    images = torch.from_numpy(pixels.astype(np.float32))
    poses = poses_of_reference(expected["seed"], count, task.num_keypoints, tuple(size))
    labels = labels_of_reference(expected["seed"], task, size)
    model.train()
    torch.manual_seed(0)

    outputs = model(images, poses)
    losses = model.losses(outputs, model.targets(outputs, labels))
    losses["total_loss"].backward()

    found = {name: loss.item() for name, loss in losses.items()}
    assert found == pytest.approx(expected["losses"][0], rel=tolerance)
    reference = expected["gradient_norms_first_step"]
    norms = {
        name: p.grad.norm().item() for name, p in model.named_parameters() if p.grad is not None
    }
    assert norms.keys() == reference.keys()
    if tolerance < 0.01:
        largest = max(reference.values())
        assert norms == pytest.approx(reference, rel=tolerance, abs=1e-5 * largest)
