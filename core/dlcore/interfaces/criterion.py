"""Criteria: how far an output is from its target."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class Criterion(nn.Module):
    """A loss for one output. What YAML may set are its keyword-only parameters.

    The key `weight` of a criterion's block belongs to the engine, which multiplies the loss by it.
    """

    @abstractmethod
    def forward(self, output: Tensor, target: Tensor, weights: Tensor | float = 1.0) -> Tensor:
        """A scalar; `weights` broadcasts to the output."""
        raise NotImplementedError

    def on_target_scale(self, output: Tensor) -> Tensor:
        """The output as it compares to the target, for pictures: of logits, the probabilities."""
        return output
