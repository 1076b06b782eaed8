"""Contracts of generators and criteria: a sound one passes, each broken promise is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from dlcore.interfaces import Criterion, Target, TargetGenerator
from dlcore.testing import (
    check_criterion,
    check_target_generator,
    fake_task,
)

TASK = fake_task(3, num_individuals=2)
STRIDE = 4
OUTPUTS = {"heatmap": torch.zeros(2, 3, 16, 16), "other": torch.zeros(2, 1)}


class Discs(TargetGenerator):
    """One disc of radius 8 pixels for each labelled keypoint."""

    output_names = ("heatmap",)
    masks = True

    def __call__(self, stride, outputs, labels):
        heatmap = outputs["heatmap"]
        x = (torch.arange(heatmap.shape[3], device=heatmap.device) + 0.5) * stride
        y = (torch.arange(heatmap.shape[2], device=heatmap.device)[:, None] + 0.5) * stride
        px, py, visibility = labels.keypoints[..., None, None, :].unbind(-1)  # (B, N, K, 1, 1)
        near = ((x - px) ** 2 + (y - py) ** 2 <= 64) & (visibility > 0)
        weights = 1.0 - (visibility < 0).any(dim=1).float() if self.masks else 1.0
        return {"heatmap": Target(near.any(dim=1).float(), weights)}


class WrongName(Discs):
    output_names = ("heatmaps",)


class ForgottenTarget(Discs):
    output_names = ("heatmap", "other")


class BareTensor(Discs):
    def __call__(self, stride, outputs, labels):
        return {"heatmap": super().__call__(stride, outputs, labels)["heatmap"].target}


class WrongShape(Discs):
    def __call__(self, stride, outputs, labels):
        target = super().__call__(stride, outputs, labels)["heatmap"]
        return {"heatmap": Target(target.target[..., 1:], target.weights)}


class WeightsPerKeypoint(Discs):
    def __call__(self, stride, outputs, labels):
        target = super().__call__(stride, outputs, labels)["heatmap"]
        return {"heatmap": Target(target.target, target.weights[..., 0, 0])}


class ChangesLabels(Discs):
    def __call__(self, stride, outputs, labels):
        labels.keypoints[..., :2] += 1
        return super().__call__(stride, outputs, labels)


class NoMask(Discs):
    masks = False


class ReadsHidden(Discs):
    def __call__(self, stride, outputs, labels):
        keypoints = labels.keypoints.clone()
        keypoints[..., 2] = 2
        return super().__call__(stride, outputs, replace(labels, keypoints=keypoints))


class SharesImages(Discs):
    def __call__(self, stride, outputs, labels):
        target, weights = super().__call__(stride, outputs, labels)["heatmap"]
        return {"heatmap": Target(target - target.mean(), weights)}


class MasksPadding(Discs):
    """As the reference does: an absent individual counts like an unlabelled one."""

    def __call__(self, stride, outputs, labels):
        target, weights = super().__call__(stride, outputs, labels)["heatmap"]
        seen = (labels.keypoints[..., 2] > 0).all(dim=1)[..., None, None]
        return {"heatmap": Target(target, weights * torch.where(seen, 1.0, 0.1))}


class CopiesToCpu(Discs):
    def __call__(self, stride, outputs, labels):
        if labels.keypoints.sum().item() < 0:
            raise ValueError
        return super().__call__(stride, outputs, labels)


class MakesOnCpu(Discs):
    def __call__(self, stride, outputs, labels):
        target, weights = super().__call__(stride, outputs, labels)["heatmap"]
        return {"heatmap": Target(torch.zeros(target.shape).add(0.5), weights)}


class LoopsOverRows(Discs):
    def __call__(self, stride, outputs, labels):
        target, weights = super().__call__(stride, outputs, labels)["heatmap"]
        rows = [target[:, :, i] * 1.0 for i in range(target.shape[2])]
        return {"heatmap": Target(torch.stack(rows, dim=2), weights)}


BROKEN = {
    WrongName: "declares the outputs heatmaps; the head gives heatmap, other",
    ForgottenTarget: "but makes targets for heatmap",
    BareTensor: "must be a Target",
    WrongShape: r"has shape \(2, 3, 16, 15\); the output has \(2, 3, 16, 16\)",
    WeightsPerKeypoint: "do not broadcast",
    ChangesLabels: "changes outputs or labels",
    NoMask: "visibility -1 must have weight 0",
    ReadsHidden: "reads the coordinates of keypoints that are not labelled",
    SharesImages: "depend on the rest of the batch",
    MasksPadding: "padding changes the targets",
    CopiesToCpu: "copy nothing to the CPU",
    MakesOnCpu: "not on the device of the outputs",
    LoopsOverRows: "must not loop over pixels",
}


def test_a_sound_generator_passes():
    check_target_generator(Discs(), STRIDE, OUTPUTS, TASK)


@pytest.mark.parametrize(("cls", "message"), BROKEN.items())
def test_a_broken_generator_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_target_generator(cls(), STRIDE, OUTPUTS, TASK)


class MeanSquare(Criterion):
    def forward(self, output, target, weights=1.0):
        weights = torch.as_tensor(weights, dtype=output.dtype).expand(output.shape)
        return ((output - target) ** 2 * weights).sum() / (weights != 0).sum().clamp(min=1)


class DividesByNothing(MeanSquare):
    def forward(self, output, target, weights=1.0):
        weights = torch.as_tensor(weights, dtype=output.dtype).expand(output.shape)
        return ((output - target) ** 2 * weights).sum() / (weights != 0).sum()


class PerImage(MeanSquare):
    def forward(self, output, target, weights=1.0):
        return ((output - target) ** 2 * weights).flatten(1).sum(dim=1)


class Ignores(MeanSquare):
    def forward(self, output, target, weights=1.0):
        return functional.mse_loss(output, target)


class Overflows(MeanSquare):
    def forward(self, output, target, weights=1.0):
        return super().forward(output.exp(), target, weights)


class CountsBroadcast(MeanSquare):
    def forward(self, output, target, weights=1.0):
        weights = torch.as_tensor(weights, dtype=output.dtype)
        count = (weights != 0).sum() if weights.ndim else output.numel()
        return ((output - target) ** 2 * weights).sum() / max(count, 1)


BROKEN_CRITERIA = {
    DividesByNothing: "not finite",
    PerImage: "not a scalar",
    Ignores: "where all weights are zero",
    Overflows: "at large outputs: the loss holds values that are not finite",
    CountsBroadcast: "weights that broadcast count otherwise",
}


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 3, 20)])
def test_a_sound_criterion_passes(shape):
    check_criterion(MeanSquare(), shape)


@pytest.mark.parametrize(("cls", "message"), BROKEN_CRITERIA.items())
def test_a_broken_criterion_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_criterion(cls())
