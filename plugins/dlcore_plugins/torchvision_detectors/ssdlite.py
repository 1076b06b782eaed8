"""SSDLite."""

from __future__ import annotations

from typing import Any

from pydantic import PositiveInt
from torch import Tensor
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from dlcore_plugins.torchvision_detectors.detector import (
    NUM_CLASSES,
    SCORE_THRESHOLD,
    TorchvisionDetector,
)
from dlcore_plugins.torchvision_detectors.weights import load

VARIANT = "ssdlite320_mobilenet_v3_large"


class SSDLite(TorchvisionDetector):
    """SSDLite of torchvision on a MobileNetV3: small and fast, on images resized to 320x320.

    The last maps have one cell, of which a batch of one image gives no statistics: while training,
    such a batch uses the running statistics of all batch-norm layers.

    Losses: `classification`, `bbox_regression`.

    Args:
        variant: Null; there is only one.
        pretrained: True for torchvision's weights for COCO, false for random ones, or the path of
            a file with weights, also a snapshot; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.
        box_score_thresh: Has no effect, as in DeepLabCut, whose files all set it; see
            `score_thresh`.
        score_thresh: Detections with lower scores are left out.
        max_detections: The most detections in an image; 300 by default.

    Raises:
        ValueError: If the weights cannot be had or do not fit.
    """

    def __init__(
        self,
        *,
        variant: None = None,
        pretrained: bool | str | None = None,
        freeze_bn_stats: bool = False,
        freeze_bn_weights: bool = False,
        box_score_thresh: float | None = SCORE_THRESHOLD,
        score_thresh: float = 0.001,
        max_detections: PositiveInt | None = None,
    ) -> None:
        most: dict[str, Any] = {}
        if max_detections is not None:
            most["detections_per_img"] = max_detections
        model = ssdlite320_mobilenet_v3_large(
            weights=None,
            weights_backbone=None,
            num_classes=NUM_CLASSES,
            score_thresh=score_thresh,
            **most,
        )
        if pretrained:
            load(model, VARIANT, pretrained)
        super().__init__(
            model, freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights
        )

    def forward(
        self, images: Tensor, targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
        """Losses while training, detections of animals while evaluating; see `Detector`."""
        if not self.training or len(images) > 1:
            return super().forward(images, targets)
        try:
            for norm in self.batch_norms():
                norm.eval()
            return super().forward(images, targets)
        finally:
            self.train()
