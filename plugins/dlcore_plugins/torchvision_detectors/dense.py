"""One-stage detectors on a ResNet-50: RetinaNet and FCOS."""

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


class DenseDetector(TorchvisionDetector):
    """A network that judges every place of the image at once.

    Args:
        variant: The name that torchvision has for the network.
        pretrained: True for torchvision's weights for COCO, false for random ones, or the path of
            a file with weights, also a snapshot; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        trainable_backbone_layers: How many of the last stages of the backbone are trained, up to 5.
            By default all with `pretrained: false`, else 3.
        box_score_thresh: Detections with lower scores are left out; null is 0.01.
        max_detections: The most detections in an image, the best ones; by default 300 for RetinaNet
            and 100 for FCOS.
        min_size: The network works on images whose shorter side has so many pixels.
        max_size: The most pixels of the longer side.

    Raises:
        ValueError: If the weights cannot be had or do not fit, or an option is wrong.
    """

    def __init__(
        self,
        variant: str,
        *,
        pretrained: bool | str | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        trainable_backbone_layers: int | None = None,
        box_score_thresh: float | None = 0.01,
        classes: Sequence[CocoClass] | None = None,
        max_detections: PositiveInt | None = None,
        min_size: PositiveInt = 800,
        max_size: PositiveInt = 1333,
    ) -> None:
        most: dict[str, Any] = {}
        if max_detections is not None and classes is None:
            most["detections_per_img"] = max_detections
        model = getattr(torchvision.models.detection, variant)(
            weights=None,
            weights_backbone=None,
            num_classes=num_classes(classes),
            score_thresh=SCORE_THRESHOLD if box_score_thresh is None else box_score_thresh,
            min_size=min_size,
            max_size=max_size,
            **most,
        )
        if not variant.endswith("_v2"):
            fix_norms(model.backbone.body)
        if pretrained:
            load(model, variant, pretrained)
        from_scratch = pretrained is False
        freeze_stages(model.backbone.body, trainable_backbone_layers, from_scratch=from_scratch)
        super().__init__(
            model,
            freeze_bn_stats=freeze_bn_stats,
            freeze_bn_weights=freeze_bn_weights,
            classes=classes,
            max_detections=max_detections,
        )


class RetinaNet(DenseDetector):
    """RetinaNet of torchvision, on a ResNet-50.

    The first variant has fixed batch-norm layers; it is made for trained weights.

    Losses: `classification`, `bbox_regression`.
    """

    def __init__(
        self,
        *,
        variant: Literal[
            "retinanet_resnet50_fpn", "retinanet_resnet50_fpn_v2"
        ] = "retinanet_resnet50_fpn_v2",
        pretrained: bool | str | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        trainable_backbone_layers: int | None = None,
        box_score_thresh: float | None = 0.01,
        classes: Sequence[CocoClass] | None = None,
        max_detections: PositiveInt | None = None,
        min_size: PositiveInt = 800,
        max_size: PositiveInt = 1333,
    ) -> None:
        super().__init__(
            variant,
            pretrained=pretrained,
            freeze_bn_stats=freeze_bn_stats,
            freeze_bn_weights=freeze_bn_weights,
            trainable_backbone_layers=trainable_backbone_layers,
            box_score_thresh=box_score_thresh,
            classes=classes,
            max_detections=max_detections,
            min_size=min_size,
            max_size=max_size,
        )


class FCOS(DenseDetector):
    """FCOS of torchvision, on a ResNet-50 with fixed batch-norm layers: for trained weights.

    Losses: `classification`, `bbox_regression`, `bbox_ctrness`.
    """

    def __init__(
        self,
        *,
        pretrained: bool | str | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        trainable_backbone_layers: int | None = None,
        box_score_thresh: float | None = 0.01,
        classes: Sequence[CocoClass] | None = None,
        max_detections: PositiveInt | None = None,
        min_size: PositiveInt = 800,
        max_size: PositiveInt = 1333,
    ) -> None:
        super().__init__(
            "fcos_resnet50_fpn",
            pretrained=pretrained,
            freeze_bn_stats=freeze_bn_stats,
            freeze_bn_weights=freeze_bn_weights,
            trainable_backbone_layers=trainable_backbone_layers,
            box_score_thresh=box_score_thresh,
            classes=classes,
            max_detections=max_detections,
            min_size=min_size,
            max_size=max_size,
        )
