"""Contracts of predictors: a sound one passes, each broken promise is named."""

from __future__ import annotations

import pytest
import torch

from dlcore.interfaces import Predictor, Target, TargetGenerator
from dlcore.testing import check_predictor, check_round_trip, fake_task

TASK = fake_task(3)
STRIDE = 4
OUTPUTS = {"heatmap": torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))}


class Peaks(Predictor):
    """The place of the highest cell."""

    output_names = ("heatmap",)

    def __call__(self, stride, outputs):
        heatmap = outputs["heatmap"]
        score, cell = heatmap.flatten(2).max(dim=2)
        row = torch.div(cell, heatmap.shape[3], rounding_mode="floor")
        column = cell % heatmap.shape[3]
        poses = torch.stack([(column + 0.5) * stride, (row + 0.5) * stride, score], dim=-1)
        return {"poses": poses[:, None]}


class NoPoses(Peaks):
    def __call__(self, stride, outputs):
        return {"pose": super().__call__(stride, outputs)["poses"]}


class NoIndividuals(Peaks):
    def __call__(self, stride, outputs):
        return {"poses": super().__call__(stride, outputs)["poses"][:, 0]}


class TooMany(Peaks):
    def __call__(self, stride, outputs):
        return {"poses": super().__call__(stride, outputs)["poses"].repeat(1, 2, 1, 1)}


class InPlace(Peaks):
    def __call__(self, stride, outputs):
        outputs["heatmap"].sigmoid_()
        return super().__call__(stride, outputs)


class SharesImages(Peaks):
    def __call__(self, stride, outputs):
        heatmap = outputs["heatmap"] - outputs["heatmap"].mean(dim=0)
        return super().__call__(stride, {"heatmap": heatmap})


class NoScore(Peaks):
    def __call__(self, stride, outputs):
        poses = super().__call__(stride, outputs)["poses"]
        poses[..., 2] = torch.nan
        return {"poses": poses}


class DividesByZero(Peaks):
    def __call__(self, stride, outputs):
        heatmap = outputs["heatmap"]
        spread = heatmap.amax(dim=(2, 3), keepdim=True) - heatmap.amin(dim=(2, 3), keepdim=True)
        return super().__call__(stride, {"heatmap": (heatmap + 1) / spread})


BROKEN = {
    NoPoses: "must give 'poses'; it gives pose",
    NoIndividuals: r"poses of shape \(2, 3, 3\)",
    TooMany: "predicts 2 individuals; the task has 1",
    InPlace: "changes the outputs",
    SharesImages: "depend on the rest of the batch",
    NoScore: "keypoints without a score",
    DividesByZero: "infinite",
}


def test_a_sound_predictor_passes():
    check_predictor(Peaks(), STRIDE, OUTPUTS, TASK)


@pytest.mark.parametrize(("cls", "message"), BROKEN.items())
def test_a_broken_predictor_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_predictor(cls(), STRIDE, OUTPUTS, TASK)


class Bumps(TargetGenerator):
    output_names = ("heatmap",)
    offset = 0.5

    def __call__(self, stride, outputs, labels):
        x = (torch.arange(outputs["heatmap"].shape[3]) + self.offset) * stride
        y = (torch.arange(outputs["heatmap"].shape[2])[:, None] + self.offset) * stride
        px, py, _ = labels.keypoints[..., None, None, :].unbind(-1)
        squared = (x - px) ** 2 + (y - py) ** 2
        return {"heatmap": Target(torch.exp(-squared / 64).amax(dim=1))}


class ShiftedBumps(Bumps):
    offset = 1.5


def test_a_predictor_finds_what_its_generator_wrote():
    half_a_cell = 0.5 * STRIDE * 2**0.5
    check_round_trip(Bumps(), Peaks(), STRIDE, OUTPUTS, TASK, tolerance=half_a_cell)
    with pytest.raises(AssertionError, match="disagree: a keypoint labelled at"):
        check_round_trip(ShiftedBumps(), Peaks(), STRIDE, OUTPUTS, TASK, tolerance=half_a_cell)
