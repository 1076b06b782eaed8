from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcore_plugins.torchvision_detectors.detector import TorchvisionDetector


class Recorder(nn.Module):
    """Stands for a network of torchvision: remembers what it is given."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.targets = None

    def forward(self, images, targets=None):
        self.targets = targets
        if self.training:
            return {"classification": torch.zeros(())}
        boxes = torch.arange(12.0).reshape(3, 4)
        labels = torch.tensor([1, 0, 1])
        return [{"boxes": boxes, "scores": torch.tensor([0.9, 0.8, 0.7]), "labels": labels}]


def detector(**options):
    given = {"freeze_bn_stats": False, "freeze_bn_weights": False} | options
    return TorchvisionDetector(Recorder(), **given)


IMAGES = torch.zeros(1, 3, 8, 8)


def test_boxes_without_width_or_height_are_left_out_of_the_targets():
    boxes = torch.tensor([[1, 1, 5, 5], [2, 2, 2, 6], [3, 7, 6, 7], [6, 6, 2, 9]])
    tested = detector()

    losses, found = tested(IMAGES, [{"boxes": boxes, "labels": torch.tensor([1, 1, 1, 1])}])

    (target,) = tested.model.targets
    assert target["boxes"].tolist() == [[1.0, 1, 5, 5]]
    assert target["labels"].tolist() == [1]
    assert list(losses) == ["classification"]
    assert found == []


def test_only_animals_are_found():
    losses, (found,) = detector().eval()(IMAGES)

    assert losses == {}
    assert found["labels"].tolist() == [1, 1]
    assert found["scores"].tolist() == pytest.approx([0.9, 0.7])
    assert found["boxes"].tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]


def test_training_needs_targets():
    with pytest.raises(ValueError, match="needs targets"):
        detector()(IMAGES)


def test_frozen_statistics_stay_frozen_while_training():
    tested = detector(freeze_bn_stats=True)

    assert tested.model.training
    assert not tested.model.norm.training
    assert not tested.eval().train().model.norm.training
    assert detector().model.norm.training


def test_frozen_weights_are_not_trained():
    frozen, free = detector(freeze_bn_weights=True), detector()

    assert [p.requires_grad for p in frozen.parameters()] == [False, False]
    assert [p.requires_grad for p in free.parameters()] == [True, True]
