"""Faster R-CNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torchvision
from pydantic import PositiveInt

from dlcore_plugins.torchvision_detectors.detector import (
    SCORE_THRESHOLD,
    TorchvisionDetector,
    num_classes,
)
from dlcore_plugins.torchvision_detectors.layers import fix_norms, freeze_stages
from dlcore_plugins.torchvision_detectors.options import CocoClass
from dlcore_plugins.torchvision_detectors.weights import load

FRESH = ("roi_heads.box_predictor.",)


class FasterRCNN(TorchvisionDetector):
    """Faster R-CNN of torchvision: a network proposes regions, another one looks at each.

    All variants but `fasterrcnn_resnet50_fpn_v2` have fixed batch-norm layers, as in DeepLabCut's
    snapshots. They are made for trained weights and learn badly from random ones.

    Losses: `loss_classifier`, `loss_box_reg`, `loss_objectness`, `loss_rpn_box_reg`.

    Args:
        variant: The name that torchvision has for the network.
        pretrained: True for torchvision's weights for COCO, false for random ones, or the path of
            a file with weights, also a snapshot; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        trainable_backbone_layers: How many of the last stages of the backbone are trained: up to 5
            of a ResNet, up to 6 of a MobileNet. By default all with `pretrained: false`, else 3.
        box_score_thresh: Detections with lower scores are left out; null is 0.01.
        max_detections: The most detections in an image, the best ones; 100 by default.
        min_size: The network works on images whose shorter side has so many pixels; by default 800,
            and 320 for `fasterrcnn_mobilenet_v3_large_320_fpn`.
        max_size: The most pixels of the longer side; by default 1333, and 640.

    Raises:
        ValueError: If the weights cannot be had or do not fit, or an option is wrong.
    """

    def __init__(
        self,
        *,
        variant: Literal[
            "fasterrcnn_mobilenet_v3_large_fpn",
            "fasterrcnn_mobilenet_v3_large_320_fpn",
            "fasterrcnn_resnet50_fpn",
            "fasterrcnn_resnet50_fpn_v2",
        ] = "fasterrcnn_mobilenet_v3_large_fpn",
        pretrained: bool | str | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        trainable_backbone_layers: int | None = None,
        box_score_thresh: float | None = 0.01,
        classes: Sequence[CocoClass] | None = None,
        max_detections: PositiveInt | None = None,
        min_size: PositiveInt | None = None,
        max_size: PositiveInt | None = None,
    ) -> None:
        given: dict[str, Any] = {
            "box_detections_per_img": max_detections if classes is None else None,
            "min_size": min_size,
            "max_size": max_size,
        }
        model = getattr(torchvision.models.detection, variant)(
            weights=None,
            weights_backbone=None,
            num_classes=num_classes(classes),
            box_score_thresh=SCORE_THRESHOLD if box_score_thresh is None else box_score_thresh,
            **{name: value for name, value in given.items() if value is not None},
        )
        if not variant.endswith("_v2"):
            fix_norms(model.backbone.body)
        complete = not pretrained or load(model, variant, pretrained, FRESH)
        from_scratch = pretrained is False
        freeze_stages(model.backbone.body, trainable_backbone_layers, from_scratch=from_scratch)
        super().__init__(
            model,
            freeze_bn_stats=freeze_bn_stats,
            freeze_bn_weights=freeze_bn_weights,
            classes=classes,
            max_detections=max_detections,
        )
        self.needs_training = not complete
