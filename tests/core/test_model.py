"""The pose model: joints are checked, losses combined as the reference does."""

import pytest
import torch
from torch import nn

from dlcore.interfaces import (
    Backbone,
    Criterion,
    FeatureSpec,
    Head,
    Neck,
    Predictor,
    Target,
    TargetGenerator,
)
from dlcore.model import HeadParts, Loss, PoseModel

ONE_MAP = FeatureSpec(4, 8)


class TinyBackbone(Backbone):
    def __init__(self, features=ONE_MAP, **freeze):
        super().__init__(**freeze)
        self.features = features
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.BatchNorm2d(4))

    def forward(self, images):
        maps = self.layers(images)
        return maps if isinstance(self.features, FeatureSpec) else (maps,) * len(self.features)


class JoiningNeck(Neck):
    def __init__(self, features):
        super().__init__()
        self.features = features[0]

    def forward(self, features):
        return sum(features)


class TwoMaps(Head):
    def __init__(self, outputs=("heatmap", "locref"), upsampling=1.0):
        super().__init__()
        self.output_names = outputs
        self.upsampling = upsampling
        self.layers = nn.ModuleDict({name: nn.Conv2d(4, 2, 1) for name in outputs})

    def forward(self, features):
        return {name: layer(features) for name, layer in self.layers.items()}


class Zeros(TargetGenerator):
    def __init__(self, names=("heatmap", "locref")):
        self.output_names = names

    def __call__(self, stride, outputs, labels):
        return {n: Target(torch.full_like(outputs[n], float(stride))) for n in self.output_names}


class Constant(Criterion):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, output, target, weights=1.0):
        return output.sum() * 0 + self.value


class Origin(Predictor):
    def __init__(self, names=("heatmap",)):
        self.output_names = names

    def __call__(self, stride, outputs):
        return {"poses": torch.full((1, 1, 2, 3), float(stride))}


def parts(generator=None, losses=None, predictor=None):
    losses = losses or {"heatmap": Loss(Constant(2.0)), "locref": Loss(Constant(4.0), 0.05)}
    return HeadParts(generator or Zeros(), losses, predictor or Origin())


def model(head=None, backbone=None, neck=None, **joined):
    return PoseModel(
        backbone or TinyBackbone(),
        neck,
        {"bodypart": head or TwoMaps()},
        {"bodypart": parts(**joined)},
    )


def test_head_losses_are_weighted_then_averaged_over_their_number():
    pose = model()
    outputs = pose(torch.zeros(1, 3, 16, 16))

    losses = {n: v.item() for n, v in pose.losses(outputs, pose.targets(outputs, None)).items()}

    assert losses == pytest.approx(
        {
            "bodypart_heatmap": 2.0,
            "bodypart_locref": 4.0,
            "bodypart_total_loss": 1.1,
            "total_loss": 1.1,
        }
    )


def test_the_total_is_the_mean_over_heads():
    one = {"heatmap": Loss(Constant(1.0))}
    three = {"heatmap": Loss(Constant(3.0))}
    pose = PoseModel(
        TinyBackbone(),
        None,
        {"bodypart": TwoMaps(("heatmap",)), "identity": TwoMaps(("heatmap",))},
        {
            "bodypart": parts(Zeros(("heatmap",)), one),
            "identity": parts(Zeros(("heatmap",)), three),
        },
    )
    outputs = pose(torch.zeros(1, 3, 16, 16))

    assert pose.losses(outputs, pose.targets(outputs, None))["total_loss"].item() == 2.0


def test_the_state_dict_holds_backbone_neck_and_heads_only():
    features = (FeatureSpec(4, 8), FeatureSpec(4, 8))
    pose = model(backbone=TinyBackbone(features), neck=JoiningNeck(features))

    prefixes = {key.split(".")[0] for key in pose.state_dict()}
    assert prefixes == {"backbone", "heads"}
    assert "heads.bodypart.layers.heatmap.weight" in pose.state_dict()


@pytest.mark.parametrize(("upsampling", "stride"), [(1, 8), (2, 4), (16, 0.5), (0.5, 16)])
def test_the_stride_is_that_of_the_features_over_the_upsampling(upsampling, stride):
    pose = model(TwoMaps(upsampling=upsampling))

    outputs = pose(torch.zeros(1, 3, 16, 16))
    assert pose.strides["bodypart"] == stride
    assert pose.predict(outputs)["bodypart"]["poses"][0, 0, 0, 0] == stride
    assert pose.targets(outputs, None)["bodypart"]["heatmap"].target.max() == stride


def test_several_maps_need_a_neck():
    features = (FeatureSpec(4, 8), FeatureSpec(4, 16))

    with pytest.raises(ValueError, match=r"heads.bodypart: takes one feature map.*model.neck"):
        model(backbone=TinyBackbone(features))


UNFIT = {
    "target for nothing": (
        {"generator": Zeros(("heatmap", "locref", "paf"))},
        "target_generator: makes a target for 'paf'",
    ),
    "predictor of nothing": ({"predictor": Origin(("paf",))}, "predictor: reads 'paf'"),
    "loss of nothing": (
        {"losses": {n: Loss(Constant(1.0)) for n in ("heatmap", "locref", "paf")}},
        "criterion: has a loss for 'paf'",
    ),
    "no loss": ({"losses": {"heatmap": Loss(Constant(1.0))}}, "has no loss for 'locref'"),
    "no target": ({"generator": Zeros(("heatmap",))}, "makes no target for 'locref'"),
}


@pytest.mark.parametrize(("joined", "message"), UNFIT.values(), ids=UNFIT.keys())
def test_parts_that_do_not_fit_their_head_are_refused(joined, message):
    with pytest.raises(ValueError, match=message):
        model(**joined)


def test_frozen_batch_norm_stays_frozen_while_training():
    pose = model(backbone=TinyBackbone(freeze_bn_stats=True, freeze_bn_weights=True)).train()
    norm = pose.backbone.layers[1]
    before = norm.running_mean.clone()

    pose(torch.randn(2, 3, 16, 16))

    assert torch.equal(norm.running_mean, before)
    assert not norm.weight.requires_grad
    assert pose.backbone.layers[0].weight.requires_grad
