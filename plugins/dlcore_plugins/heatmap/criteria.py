"""Losses of one map against its target, averaged over the cells that count."""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor

from dlcore.interfaces import Criterion


class _WeightedCriterion(Criterion):
    """The sum of weighted losses, divided by the number of weights that are not 0.

    The weights scale the sum but not the count: an error of 1 with a weight of 0.1 everywhere
    gives 0.1. With no weight but 0 the loss is 0.
    """

    def forward(self, output: Tensor, target: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """A scalar; `weights` broadcasts to the output."""
        losses = self._losses(output.to(target.dtype), target)
        total = (losses * weights).sum()
        if isinstance(weights, Tensor):
            repeats = losses.numel() // max(1, weights.numel())
            return total / (weights.count_nonzero() * repeats).clamp(min=1)
        return total / max(1, losses.numel())

    @abstractmethod
    def _losses(self, output: Tensor, target: Tensor) -> Tensor:
        """The loss of each element."""
        raise NotImplementedError


class WeightedMSECriterion(_WeightedCriterion):
    """The squared error, averaged over the cells that count."""

    def _losses(self, output: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(output, target, reduction="none")


class WeightedHuberCriterion(_WeightedCriterion):
    """The Huber loss, averaged over the cells that count.

    Quadratic for errors below 1 (half the squared error), linear beyond.
    """

    def _losses(self, output: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(output, target, reduction="none")


class WeightedBCECriterion(_WeightedCriterion):
    """The binary cross-entropy of logits against targets in [0, 1], over the cells that count."""

    def _losses(self, output: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")

    def on_target_scale(self, output: Tensor) -> Tensor:
        """Probabilities."""
        return output.sigmoid()
