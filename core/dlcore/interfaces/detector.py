"""Detectors: images to boxes."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class Detector(nn.Module):
    """Finds individuals in images. YAML sets its keyword-only parameters."""

    @abstractmethod
    def forward(
        self, images: Tensor, targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
        """Losses by name while training, detections while evaluating.

        Args:
            images: (B, 3, H, W), RGB and normalised.
            targets: One dict per image: `boxes` (N, 4) xyxy pixels and `labels` (N,) int64.

        Returns:
            Losses (empty in evaluation) and, per image, `boxes` (M, 4) xyxy pixels, `scores` (M,)
            in descending order and `labels` (M,) (empty in training).
        """
        raise NotImplementedError
