"""First weights of TokenPose's layers."""

from __future__ import annotations

from torch import nn


def truncated_normal(module: nn.Module) -> None:
    """Draw the weight of a linear layer from a narrow normal distribution, its bias is 0."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
