"""The loss of rows of bins against rows of bins.

Legend: B images, K keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat
from torch import Tensor

from dlcore.interfaces import Criterion


class KLDiscreteLoss(Criterion):
    """The Kullback-Leibler divergence of two distributions over bins, averaged over the bins.

    The losses of the keypoints are averaged, those of the images added up, as DeepLabCut does: a
    batch twice as large has twice the loss, and wants another learning rate. `batch_average`
    undoes that.

    Args:
        beta: Factor of the logits before their softmax.
        label_softmax: Whether the targets are logits too.
        label_beta: Factor of the targets before their softmax.
        use_target_weight: Whether the weights of the targets count; otherwise keypoints that are
            not labelled count like all others.
        mask: Indices of the keypoints that count `mask_weight` times; null for none.
        mask_weight: How much those count.
        batch_average: Whether to average over the images too.
    """

    def __init__(
        self,
        *,
        beta: PositiveFloat = 1.0,
        label_softmax: bool = False,
        label_beta: PositiveFloat = 10.0,
        use_target_weight: bool = True,
        mask: Sequence[NonNegativeInt] | None = None,
        mask_weight: NonNegativeFloat = 1.0,
        batch_average: bool = False,
    ) -> None:
        super().__init__()
        self.beta = beta
        self.label_softmax = label_softmax
        self.label_beta = label_beta
        self.use_target_weight = use_target_weight
        self.mask = tuple(mask or ())
        self.mask_weight = mask_weight
        self.batch_average = batch_average

    def forward(self, output: Tensor, target: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """A scalar from output and target (B, K, bins); `weights` broadcasts to them."""
        logs = F.log_softmax(output.to(target.dtype) * self.beta, dim=-1)
        if self.label_softmax:
            target = F.softmax(target * self.label_beta, dim=-1)
        losses = F.kl_div(logs, target, reduction="none")
        if self.use_target_weight:
            losses = losses * weights
        per_keypoint = losses.mean(dim=-1)
        images, keypoints = per_keypoint.shape[:2]
        if self.mask:
            factors = torch.ones(keypoints, device=losses.device, dtype=losses.dtype)
            factors[list(self.mask)] = self.mask_weight
            per_keypoint = per_keypoint * factors
        total = per_keypoint.sum() / keypoints
        return total / images if self.batch_average else total
