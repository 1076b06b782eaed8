"""First weights of a heatmap head."""

from __future__ import annotations

from torch import nn

from dlcore.interfaces import WeightInitializer


class Normal(WeightInitializer):
    """Biases of 0, all other parameters from a normal distribution around 0.

    Args:
        std: Standard deviation.

    Raises:
        ValueError: If `std` is negative.
    """

    def __init__(self, *, std: float = 0.001) -> None:
        if std < 0:
            raise ValueError(f"std must not be negative, got {std}")
        self.std = std

    def __call__(self, module: nn.Module) -> None:
        """Set the parameters of `module` in place."""
        for name, parameter in module.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=self.std)
