"""Optimiser steps of whole models against DeepLabCut's, on one fixed batch."""

import json

import numpy as np
import pytest
import torch

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.engine.optim import build_optimizer
from dlcore.interfaces import Labels, PoseTask, Target
from tests.integration.test_reference_models import keyed_weights

MODELS = [
    "single_resnet_50",
    "single_hrnet_w18",
    "single_cspnext_s",
    "multi_dekr_w18",
    "multi_resnet_50_paf",
    "multi_identity_unique_resnet_50",
    "multi_dlcrnet_stride16_ms5",
]


def labels_of_reference(seed, task, size):
    """The labels that the reference was made with, for a batch of two."""
    height, width = size
    rng = np.random.RandomState(seed)
    animals, joints = task.num_individuals, task.num_keypoints
    keypoints = np.zeros((2, animals, joints, 3), np.float32)
    for image in range(2):
        for animal in range(animals):
            if animals > 1 and (image, animal) == (1, animals - 1):
                continue  # absent
            middle = rng.uniform(0.25, 0.75, 2) * [width, height]
            keypoints[image, animal, :, :2] = middle + rng.normal(0, 0.12 * min(size), (joints, 2))
            keypoints[image, animal, :, 2] = 2
    keypoints[0, 0, 1] = 0
    keypoints[0, 0, joints - 1, 2] = 0
    keypoints[0, 0, 2, :2] = [width + 3.0, -4.0]  # outside
    keypoints[-1, 0, 3 % joints, 2] = -1
    seen = keypoints[..., 2:] > 0
    low = np.where(seen, keypoints[..., :2], np.inf).min(2) - 5
    high = np.where(seen, keypoints[..., :2], -np.inf).max(2) + 5
    present = seen.any((2, 3))
    low, high = np.clip(low, 0, [width, height]), np.clip(high, 0, [width, height])
    boxes = np.where(present[..., None], np.concatenate([low, high - low], -1), 0)
    ids = np.full((2, animals), -1)
    for image in range(2):
        count = int(present[image].sum())
        ids[image, present[image]] = rng.permutation(animals)[:count]
    unique = np.zeros((2, len(task.unique_keypoints), 3), np.float32)
    unique[..., :2] = rng.uniform(0.05, 0.95, unique[..., :2].shape) * [width, height]
    unique[..., 2] = 2
    unique[0, :1] = -1
    areas = np.maximum(1, boxes[..., 2]) * np.maximum(1, boxes[..., 3])
    return Labels(
        keypoints=torch.from_numpy(keypoints),
        unique_keypoints=torch.from_numpy(unique),
        individual_ids=torch.from_numpy(ids),
        boxes=torch.from_numpy(boxes.astype(np.float32)),
        areas=torch.from_numpy(areas.astype(np.float32)),
    )


def targets_of_reference(model, outputs, labels):
    """Targets as DeepLabCut makes them where dlcore does better.

    With part affinity fields, limbs of undefined keypoints count as absent, and where the discs of
    two individuals overlap, offsets lead to the later one instead of the nearer.
    """
    targets = model.targets(outputs, labels)
    bodypart = targets["bodypart"]
    if "paf" in bodypart:
        bodypart["paf"] = bodypart["paf"]._replace(weights=1.0)
        stride = model.strides["bodypart"]
        bodypart["locref"] = Target(*offsets_to_the_last(bodypart["locref"], stride, labels))
    return targets


def offsets_to_the_last(locref, stride, labels, radius=17, std=7.2801):
    """Target and weights, written for one individual after the other."""
    y, x = (torch.arange(n) * stride + stride / 2 for n in locref.target.shape[2:])
    target, weights = torch.zeros_like(locref.target), torch.zeros_like(locref.target)
    for points in labels.keypoints.unbind(1):  # (B, K, 3)
        ways = torch.stack(
            torch.broadcast_tensors(
                points[..., 0, None, None] - x, points[..., 1, None, None] - y[:, None]
            ),
            dim=2,
        )
        near = (ways.square().sum(2, keepdim=True) <= radius**2) & (points[..., 2] > 0)[
            ..., None, None, None
        ]
        target = torch.where(near, ways / std, target.unflatten(1, (-1, 2))).flatten(1, 2)
        weights = torch.where(near, 1.0, weights.unflatten(1, (-1, 2))).flatten(1, 2)
    return target, weights


@pytest.mark.parametrize("name", MODELS)
def test_training_steps_equal_the_reference(shared, host, name):
    file = shared / "peer" / "reference" / "steps" / f"{name}.json"
    expected = json.loads(file.read_text())
    config = load_config(shared / "peer" / "configs" / expected["config"], host).config
    metadata = config.metadata
    task = PoseTask(
        tuple(metadata.bodyparts), tuple(metadata.unique_bodyparts), tuple(metadata.individuals)
    )
    model = build_model(host, config, task, fresh=False)
    model.load_state_dict(keyed_weights(model, expected["seed"]))
    shape = expected["input_shape"]
    pixels = np.random.RandomState(expected["seed"]).standard_normal(shape).astype(np.float32)
    labels = labels_of_reference(expected["seed"], task, shape[2:])
    block = config.runner.optimizer.model_dump()
    optimizer = build_optimizer(host, block, model.parameters(), "runner.optimizer")
    model.train()
    losses, norms = [], {}

    for _ in expected["losses"]:
        optimizer.zero_grad()
        outputs = model(torch.from_numpy(pixels))
        step = model.losses(outputs, targets_of_reference(model, outputs, labels))
        step["total_loss"].backward()
        norms = norms or {
            key: p.grad.norm().item() for key, p in model.named_parameters() if p.grad is not None
        }
        losses.append({key: value.item() for key, value in step.items()})
        optimizer.step()

    first, *later = zip(losses, expected["losses"], strict=True)
    assert first[0] == pytest.approx(first[1], rel=1e-4)
    for ours, theirs in later:  # AdamW makes whole steps of rounding errors
        assert ours == pytest.approx(theirs, rel=0.02)
    reference = expected["gradient_norms_first_step"]
    assert norms == pytest.approx(reference, rel=1e-3, abs=1e-5 * max(reference.values()))
