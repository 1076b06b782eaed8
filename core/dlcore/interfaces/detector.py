"""Detectors: images to boxes."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class Detector(nn.Module):
    """Finds individuals in images. YAML sets its keyword-only parameters.

    One that can start from trained weights takes the option `pretrained: bool | str | None = None`:
    True for the weights it knows where to get, a string for a local file, False for none. None
    means that the weights come from elsewhere, such as a snapshot; nothing is fetched then.

    Attributes:
        fixed_norms: Whether the statistics of its batch-norm layers stay what they are while it is
            trained. Random weights hardly learn so, and users are warned of it.
        needs_training: Whether parts of it have random weights although `pretrained` names some, so
            that it cannot be used as it is.
    """

    fixed_norms: bool = False
    needs_training: bool = False

    @abstractmethod
    def forward(
        self, images: Tensor, targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
        """Losses by name while training, detections while evaluating.

        Args:
            images: (B, 3, H, W), RGB and normalised.
            targets: One dict per image: `boxes` (N, 4) xyxy pixels and `labels` (N,) int64, 1 for
                every individual. N may be 0: images without individuals are examples too.

        Returns:
            Losses (empty in evaluation) and, per image, `boxes` (M, 4) xyxy pixels, `scores` (M,)
            in descending order and `labels` (M,) (empty in training).
        """
        raise NotImplementedError
