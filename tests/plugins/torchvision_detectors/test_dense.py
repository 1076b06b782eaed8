from __future__ import annotations

import pytest
import torch

from dlcore_plugins.torchvision_detectors.dense import FCOS, RetinaNet

MAKERS = {
    "retinanet": lambda **options: RetinaNet(variant="retinanet_resnet50_fpn", **options),
    "retinanet_v2": RetinaNet,
    "fcos": FCOS,
}
LOSSES = {
    "retinanet": {"classification", "bbox_regression"},
    "retinanet_v2": {"classification", "bbox_regression"},
    "fcos": {"classification", "bbox_regression", "bbox_ctrness"},
}
IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
TARGETS = [
    {"boxes": torch.tensor([[8.0, 8, 40, 50]]), "labels": torch.tensor([1])},
    {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
]


@pytest.mark.parametrize("name", MAKERS)
def test_losses_and_detections(name):
    torch.manual_seed(0)
    detector = MAKERS[name](pretrained=False, min_size=64, box_score_thresh=0.0, max_detections=7)

    losses, _ = detector(IMAGES, TARGETS)
    assert set(losses) == LOSSES[name]
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["classification"] > 0

    with torch.no_grad():
        _, found = detector.eval()(IMAGES)
    assert [set(one["labels"].tolist()) <= {1} for one in found] == [True, True]
    assert all(len(one["boxes"]) <= 7 for one in found)


@pytest.mark.parametrize("name", MAKERS)
def test_norms_are_fixed_but_in_the_second_version(name):
    detector = MAKERS[name]()

    learns = any(key.endswith("num_batches_tracked") for key in detector.state_dict())
    assert learns == name.endswith("_v2")
    assert not detector.model.backbone.body.conv1.weight.requires_grad


@pytest.mark.parametrize("name", MAKERS)
def test_box_score_thresh_null_is_a_hundredth(name):
    assert MAKERS[name](box_score_thresh=None).model.score_thresh == 0.01
    assert MAKERS[name](box_score_thresh=0.4).model.score_thresh == 0.4
