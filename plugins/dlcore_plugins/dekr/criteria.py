"""Losses of the outputs of a DEKR head."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dlcore.interfaces import Criterion


class DEKRHeatmapLoss(Criterion):
    """The weighted squared error, averaged over all cells, those without weight too."""

    def forward(self, output: Tensor, target: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """A scalar; `weights` broadcasts to the output."""
        losses = F.mse_loss(output.to(target.dtype), target, reduction="none")
        return (losses * weights).mean()


class DEKROffsetLoss(Criterion):
    """The weighted smooth L1 error, summed and divided by the number of weights above 0.

    Quadratic for errors below `beta`, linear beyond. With no weight above 0 the loss is 0.

    Args:
        beta: Where the loss becomes linear, in cells.

    Raises:
        ValueError: If `beta` is not above 0.
    """

    def __init__(self, *, beta: float = 1 / 9) -> None:
        super().__init__()
        if beta <= 0:
            raise ValueError(f"beta must be above 0, got {beta}")
        self.beta = beta

    def forward(self, output: Tensor, target: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """A scalar; `weights` broadcasts to the output."""
        output = output.to(target.dtype)
        losses = F.smooth_l1_loss(output, target, reduction="none", beta=self.beta)
        spread = torch.as_tensor(weights, device=losses.device).expand(losses.shape)
        return (losses * spread).sum() / (spread > 0).sum().clamp(min=1)
