"""Contracts of networks: a sound one passes, each broken promise is named."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dlcore.interfaces import Backbone, Detector, FeatureSpec, Head, Neck, WeightInitializer
from dlcore.testing import (
    check_backbone,
    check_detector,
    check_head,
    check_neck,
    check_weight_initializer,
    fake_task,
)

FEATURES = FeatureSpec(channels=8, stride=4)


class GoodBackbone(Backbone):
    def __init__(self, **options):
        super().__init__(**options)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
        )
        self.features = FEATURES

    def forward(self, images):
        return self.layers(images)


class TwoMaps(GoodBackbone):
    def __init__(self):
        super().__init__()
        self.features = (FeatureSpec(8, 2), FeatureSpec(8, 4))

    def forward(self, images):
        fine = self.layers[:3](images)
        return fine, self.layers[3](fine)


class CoarsestFirst(TwoMaps):
    def __init__(self):
        super().__init__()
        self.features = self.features[::-1]


class ListOfMaps(TwoMaps):
    def forward(self, images):
        return list(super().forward(images))


class WrongStride(GoodBackbone):
    def __init__(self):
        super().__init__()
        self.features = FeatureSpec(8, 8)


class WrongChannels(GoodBackbone):
    def __init__(self):
        super().__init__()
        self.features = FeatureSpec(16, 4)


class Undeclared(GoodBackbone):
    def __init__(self):
        super().__init__()
        del self.features


class Unused(GoodBackbone):
    def __init__(self):
        super().__init__()
        self.classifier = nn.Linear(8, 2)


class Random(GoodBackbone):
    def forward(self, images):
        return super().forward(images) + torch.randn(1)


class InPlace(GoodBackbone):
    def forward(self, images):
        return super().forward(images.mul_(2))


class BatchDependent(GoodBackbone):
    def forward(self, images):
        return super().forward(images - images.mean())


class IgnoresFreezing(GoodBackbone):
    def train(self, mode=True):
        return nn.Module.train(self, mode)


class StateLeftOut(GoodBackbone):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images):
        return super().forward(images) * self.scale

    def load_state_dict(self, state_dict, strict=True, assign=False):
        kept = {name: value for name, value in state_dict.items() if name != "scale"}
        return super().load_state_dict(kept, strict=False)


BROKEN_BACKBONES = {
    CoarsestFirst: "the finest map must come first",
    ListOfMaps: "must give a tuple",
    WrongStride: "declares stride 8, but gives a map of shape",
    WrongChannels: "declares 16 channels",
    Undeclared: "must set features",
    Unused: "no gradient reaches parameter 'classifier.weight'",
    Random: "different outputs for the same input",
    InPlace: "changes its images",
    BatchDependent: "depend on the rest of the batch",
    IgnoresFreezing: "do not reach 'layers.1'",
    StateLeftOut: "other outputs after its state dict was saved and loaded",
}


@pytest.mark.parametrize(
    "backbone", [GoodBackbone(), TwoMaps(), GoodBackbone(freeze_bn_stats=True)]
)
def test_a_sound_backbone_passes_and_is_not_changed(backbone):
    before = copy.deepcopy(backbone.state_dict())

    check_backbone(backbone)

    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    assert all(parameter.grad is None for parameter in backbone.parameters())


@pytest.mark.parametrize(("cls", "message"), BROKEN_BACKBONES.items())
def test_a_broken_backbone_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_backbone(cls())


def test_checking_leaves_the_global_generator_alone():
    backbone = GoodBackbone()
    before = torch.get_rng_state()

    check_backbone(backbone)

    assert torch.equal(before, torch.get_rng_state())


class GoodNeck(Neck):
    def __init__(self, features):
        super().__init__()
        self.features = FeatureSpec(4, features.stride)
        self.layer = nn.Conv2d(features.channels, 4, 1)

    def forward(self, features):
        return self.layer(features)


def test_necks():
    neck = GoodNeck(FEATURES)
    check_neck(neck, FEATURES)
    neck.features = FeatureSpec(4, 8)
    with pytest.raises(AssertionError, match="declares stride 8"):
        check_neck(neck, FEATURES)


class TokenNeck(GoodNeck):
    """Gives one vector for each row of the map."""

    def __init__(self, features):
        super().__init__(features)
        self.features = FeatureSpec(4, features.stride, tokens=16)

    def forward(self, features):
        return super().forward(features).mean(dim=3).transpose(1, 2)


def test_necks_that_give_tokens():
    neck = TokenNeck(FEATURES)
    check_neck(neck, FEATURES, odd_size=False)
    neck.features = FeatureSpec(4, FEATURES.stride, tokens=8)
    with pytest.raises(AssertionError, match=r"tokens=8.* gives tokens of shape \(2, 16, 4\)"):
        check_neck(neck, FEATURES, odd_size=False)


class GoodHead(Head):
    """As many doubling layers as the reference makes them: n cells become 2n + 1."""

    output_names = ("heatmap", "locref")
    upsampling = 2.0

    def __init__(self):
        super().__init__()
        self.heatmap = nn.ConvTranspose2d(8, 3, 3, stride=2)
        self.locref = nn.ConvTranspose2d(8, 6, 3, stride=2)

    def forward(self, features):
        return {"heatmap": self.heatmap(features), "locref": self.locref(features)}


class ForgottenOutput(GoodHead):
    output_names = ("heatmap",)


class RepeatedOutput(GoodHead):
    output_names = ("heatmap", "heatmap")


class WrongUpsampling(GoodHead):
    upsampling = 1.0


class DropsAnImage(GoodHead):
    def forward(self, features):
        return {name: output[:1] for name, output in super().forward(features).items()}


class Reorders(GoodHead):
    """Picks the maps of old keypoints; the offsets of one follow each other."""

    def convert_keypoints(self, state, old_indices):
        maps = {"heatmap": old_indices, "locref": [2 * i + a for i in old_indices for a in (0, 1)]}
        return {
            name: tensor[..., maps[name.split(".")[0]], :, :]
            if tensor.ndim == 4
            else tensor[maps[name.split(".")[0]]]
            for name, tensor in state.items()
        }


class ReordersNothing(Reorders):
    def convert_keypoints(self, state, old_indices):
        return state


class ForgetsOffsets(Reorders):
    def convert_keypoints(self, state, old_indices):
        kept = {name: tensor for name, tensor in state.items() if "locref" not in name}
        return super().convert_keypoints(kept, old_indices)


class Shifts(Reorders):
    def convert_keypoints(self, state, old_indices):
        straight = old_indices == sorted(old_indices)
        return super().convert_keypoints(state, old_indices if straight else [1, 2, 0])


class FixedSize(GoodHead):
    """Takes maps of 16 x 16 cells only."""

    output_names = ("heatmap",)
    upsampling = 1.0

    def __init__(self):
        super().__init__()
        del self.heatmap, self.locref
        self.layer = nn.Linear(256, 256)

    def forward(self, features):
        return {"heatmap": self.layer(features.flatten(2)).unflatten(2, (16, 16))}


BROKEN_HEADS = {
    ForgottenOutput: "declares the outputs heatmap, but gives heatmap, locref",
    RepeatedOutput: "has a name twice",
    WrongUpsampling: "declares upsampling 1.0",
    DropsAnImage: "for a batch of 2",
}


@pytest.mark.parametrize("head", [GoodHead(), Reorders()])
def test_a_sound_head_passes(head):
    check_head(head, FEATURES, fake_task(3))


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (ReordersNothing, "does not reorder anything"),
        (ForgetsOffsets, "although the keypoints are the same"),
        (Shifts, "reversed twice"),
    ],
)
def test_a_broken_conversion_of_keypoints_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_head(cls(), FEATURES, fake_task(3))


@pytest.mark.parametrize(("cls", "message"), BROKEN_HEADS.items())
def test_a_broken_head_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_head(cls(), FEATURES)


def test_a_head_of_one_size_must_be_checked_with_odd_size_off():
    check_head(FixedSize(), FEATURES, odd_size=False)
    with pytest.raises(RuntimeError):
        check_head(FixedSize(), FEATURES)


def test_a_head_that_is_given_several_maps_must_say_that_it_takes_them():
    with pytest.raises(AssertionError, match="takes_several_maps"):
        check_head(GoodHead(), (FEATURES, FEATURES))


class GoodInitializer(WeightInitializer):
    def __call__(self, module):
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.01)


class Replaces(WeightInitializer):
    def __call__(self, module):
        module.weight = nn.Parameter(torch.zeros_like(module.weight))


class Idle(WeightInitializer):
    def __call__(self, module):
        pass


class Unrepeatable(WeightInitializer):
    calls = 0

    def __call__(self, module):
        Unrepeatable.calls += 1
        nn.init.constant_(module.weight, Unrepeatable.calls)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Replaces, "replaces parameters"),
        (Idle, "leaves every weight as it was"),
        (Unrepeatable, "torch.manual_seed"),
    ],
)
def test_a_broken_initializer_is_named(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_weight_initializer(cls(), nn.Conv2d(3, 4, 1))


def test_a_sound_initializer_passes():
    check_weight_initializer(GoodInitializer(), nn.Conv2d(3, 4, 1))


class GoodDetector(Detector):
    boxes = ((1.0, 2.0, 30.0, 40.0),)

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 1, 3)

    def forward(self, images, targets=None):
        score = self.layer(images).mean(dim=(1, 2, 3))
        if self.training:
            return {"score": score.square().mean()}, []
        boxes = torch.tensor(self.boxes)
        labels = torch.ones(len(boxes), dtype=torch.int64)
        return {}, [
            {"boxes": boxes, "scores": s.expand(len(boxes)), "labels": labels} for s in score
        ]


class WidthsAndHeights(GoodDetector):
    boxes = ((10.0, 20.0, 3.0, 4.0),)


def test_detectors():
    check_detector(GoodDetector())
    with pytest.raises(AssertionError, match="x1, y1, x2, y2"):
        check_detector(WidthsAndHeights())
