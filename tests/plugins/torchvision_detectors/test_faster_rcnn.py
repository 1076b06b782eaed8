from __future__ import annotations

import pytest
import torch

from dlcore_plugins.torchvision_detectors.faster_rcnn import FasterRCNN

SMALL = "fasterrcnn_mobilenet_v3_large_320_fpn"
VARIANTS = [
    "fasterrcnn_mobilenet_v3_large_fpn",
    SMALL,
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
]
IMAGES = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_knows_two_classes_and_has_the_norms_of_deeplabcut(variant):
    detector = FasterRCNN(variant=variant)
    state = detector.state_dict()

    assert state["model.roi_heads.box_predictor.cls_score.weight"].shape == (2, 1024)
    assert state["model.roi_heads.box_predictor.bbox_pred.bias"].shape == (8,)
    learns = any(key.endswith("num_batches_tracked") for key in state)
    assert learns == (variant == "fasterrcnn_resnet50_fpn_v2")


@pytest.mark.parametrize(
    ("options", "frozen"),
    [
        ({}, True),
        ({"pretrained": False}, False),
        ({"pretrained": False, "trainable_backbone_layers": 3}, True),
        ({"trainable_backbone_layers": 6}, False),
    ],
)
def test_the_stem_is_trained_from_scratch_only(options, frozen):
    """Where weights come from elsewhere (None), as with `pretrained: true`."""
    detector = FasterRCNN(variant=SMALL, **options)

    first = next(detector.model.backbone.body.parameters())
    last = detector.model.backbone.body["16"][0].weight
    assert first.requires_grad is not frozen
    assert last.requires_grad


def test_box_score_thresh_null_is_a_hundredth():
    assert FasterRCNN(variant=SMALL, box_score_thresh=None).model.roi_heads.score_thresh == 0.01
    assert FasterRCNN(variant=SMALL, box_score_thresh=0.3).model.roi_heads.score_thresh == 0.3


@pytest.mark.parametrize(("variant", "sizes"), [(SMALL, (320, 640)), (VARIANTS[0], (800, 1333))])
def test_sizes_are_those_of_the_variant_unless_given(variant, sizes):
    transform = FasterRCNN(variant=variant).model.transform
    given = FasterRCNN(variant=variant, min_size=96, max_size=128).model.transform

    assert (transform.min_size[0], transform.max_size) == sizes
    assert (given.min_size[0], given.max_size) == (96, 128)


def test_losses_have_torchvisions_names_also_without_animals():
    torch.manual_seed(0)
    detector = FasterRCNN(variant=SMALL, pretrained=False, min_size=64)
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}

    losses, _ = detector(IMAGES, [empty])

    assert set(losses) == {
        "loss_classifier",
        "loss_box_reg",
        "loss_objectness",
        "loss_rpn_box_reg",
    }
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["loss_classifier"] > 0
