"""SSDLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from pydantic import PositiveInt
from torch import Tensor
from torch.nn.functional import log_softmax
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.detection.ssd import SSD

from dlcore_plugins.torchvision_detectors.detector import TorchvisionDetector, num_classes
from dlcore_plugins.torchvision_detectors.options import CocoClass
from dlcore_plugins.torchvision_detectors.weights import load

VARIANT = "ssdlite320_mobilenet_v3_large"
SIZE = (320, 320)
HARDEST = 32
"""Cells and anchors of an image without animals that count for the loss."""


class SSDLite(TorchvisionDetector):
    """SSDLite of torchvision on a MobileNetV3: small and fast, on images resized to 320x320.

    An image without animals counts with the places that look most like one. In torchvision, and so
    in DeepLabCut, it would count for nothing, since a detector of this kind takes three places of
    background for each place of an animal. Other losses are the same.

    The last maps have one cell, of which a batch of one image gives no statistics: while training,
    such a batch uses the running statistics of all batch-norm layers.

    Losses: `classification`, `bbox_regression`.

    Args:
        variant: Null; there is only one.
        pretrained: True for torchvision's weights for COCO, false for random ones, or the path of
            a file with weights, also a snapshot; `package:NAME/PATH` names a file of an installed
            Python package. Where the file does not say, a fresh training run takes true.
        box_score_thresh: Has no effect, as in DeepLabCut, whose files all set it; see
            `score_thresh`.
        score_thresh: Detections with lower scores are left out.
        max_detections: The most detections in an image, the best ones; 300 by default.

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
        box_score_thresh: float | None = 0.01,
        score_thresh: float = 0.001,
        classes: Sequence[CocoClass] | None = None,
        max_detections: PositiveInt | None = None,
    ) -> None:
        count = num_classes(classes)
        most = max_detections if classes is None else None
        parts: Any = ssdlite320_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=count
        )
        model = _LearningFromEmptyImages(
            parts.backbone,
            parts.anchor_generator,
            SIZE,
            count,
            image_mean=parts.transform.image_mean,
            image_std=parts.transform.image_std,
            head=parts.head,
            score_thresh=score_thresh,
            nms_thresh=parts.nms_thresh,
            detections_per_img=most or parts.detections_per_img,
            topk_candidates=parts.topk_candidates,
        )
        if pretrained:
            load(model, VARIANT, pretrained)
        super().__init__(
            model,
            freeze_bn_stats=freeze_bn_stats,
            freeze_bn_weights=freeze_bn_weights,
            classes=classes,
            max_detections=max_detections,
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


class _LearningFromEmptyImages(SSD):  # type: ignore[misc]  # torchvision has no types
    """Images without boxes are background everywhere."""

    def compute_loss(
        self,
        targets: list[dict[str, Tensor]],
        head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
        matched_idxs: list[Tensor],
    ) -> dict[str, Tensor]:
        """The losses of torchvision, and in `classification` that of the images without boxes.

        Such an image weighs as much as the background of another one does.
        """
        losses: dict[str, Tensor] = super().compute_loss(
            targets, head_outputs, anchors, matched_idxs
        )
        empty = [index for index, target in enumerate(targets) if not len(target["boxes"])]
        if empty:
            background = -log_softmax(head_outputs["cls_logits"][empty].float(), dim=-1)[..., 0]
            hardest = torch.topk(background, HARDEST, dim=1).values.mean(dim=1)
            weight = self.neg_to_pos_ratio / len(targets)
            losses["classification"] = losses["classification"] + weight * hardest.sum()
        return losses
