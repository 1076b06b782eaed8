"""One-stage detectors on a ResNet-50: RetinaNet and FCOS."""

from __future__ import annotations

from typing import Any, Literal

import torchvision
from pydantic import PositiveInt
from torch import nn

from dlcore_plugins.torchvision_detectors.detector import (
    NUM_CLASSES,
    SCORE_THRESHOLD,
    TorchvisionDetector,
)
from dlcore_plugins.torchvision_detectors.layers import fix_norms, freeze_stages
from dlcore_plugins.torchvision_detectors.weights import load


class RetinaNet(TorchvisionDetector):
    """RetinaNet of torchvision, on a ResNet-50.

    The first variant has fixed batch-norm layers; it is made for trained weights.

    Losses: `classification`, `bbox_regression`.

    Args:
        variant: The name that torchvision has for the network.
        pretrained: True for torchvision's weights for COCO, false for random ones, or the path of
            a file with weights, also a snapshot; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.
        trainable_backbone_layers: How many of the last stages of the backbone are trained, up to 5.
            By default all with `pretrained: false`, else 3.
        box_score_thresh: Detections with lower scores are left out; null is 0.01.
        max_detections: The most detections in an image; 300 by default.
        min_size: The network works on images whose shorter side has so many pixels.
        max_size: The most pixels of the longer side.

    Raises:
        ValueError: If the weights cannot be had or do not fit, or an option is wrong.
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
        max_detections: PositiveInt | None = None,
        min_size: PositiveInt = 800,
        max_size: PositiveInt = 1333,
    ) -> None:
        model = _build(
            variant,
            pretrained,
            trainable_backbone_layers,
            score_thresh=box_score_thresh,
            detections_per_img=max_detections,
            min_size=min_size,
            max_size=max_size,
        )
        super().__init__(
            model, freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights
        )


class FCOS(TorchvisionDetector):
    """FCOS of torchvision, on a ResNet-50 with fixed batch-norm layers: for trained weights.

    Losses: `classification`, `bbox_regression`, `bbox_ctrness`.

    Args:
        pretrained: True for torchvision's weights for COCO, false for random ones, or the path of
            a file with weights, also a snapshot; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.
        trainable_backbone_layers: How many of the last stages of the backbone are trained, up to 5.
            By default all with `pretrained: false`, else 3.
        box_score_thresh: Detections with lower scores are left out; null is 0.01.
        max_detections: The most detections in an image; 100 by default.
        min_size: The network works on images whose shorter side has so many pixels.
        max_size: The most pixels of the longer side.

    Raises:
        ValueError: If the weights cannot be had or do not fit, or an option is wrong.
    """

    def __init__(
        self,
        *,
        pretrained: bool | str | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        trainable_backbone_layers: int | None = None,
        box_score_thresh: float | None = 0.01,
        max_detections: PositiveInt | None = None,
        min_size: PositiveInt = 800,
        max_size: PositiveInt = 1333,
    ) -> None:
        model = _build(
            "fcos_resnet50_fpn",
            pretrained,
            trainable_backbone_layers,
            score_thresh=box_score_thresh,
            detections_per_img=max_detections,
            min_size=min_size,
            max_size=max_size,
        )
        super().__init__(
            model, freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights
        )


def _build(
    variant: str,
    pretrained: bool | str | None,
    trained: int | None,
    *,
    score_thresh: float | None,
    detections_per_img: int | None,
    **sizes: int,
) -> nn.Module:
    most: dict[str, Any] = {}
    if detections_per_img is not None:
        most["detections_per_img"] = detections_per_img
    model: nn.Module = getattr(torchvision.models.detection, variant)(
        weights=None,
        weights_backbone=None,
        num_classes=NUM_CLASSES,
        score_thresh=SCORE_THRESHOLD if score_thresh is None else score_thresh,
        **most,
        **sizes,
    )
    body = model.backbone.body  # type: ignore[union-attr]
    assert isinstance(body, nn.Module)
    if not variant.endswith("_v2"):
        fix_norms(body)
    if pretrained:
        load(model, variant, pretrained)
    freeze_stages(body, trained, from_scratch=pretrained is False)
    return model
