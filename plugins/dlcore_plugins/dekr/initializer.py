"""First weights of a DEKR head."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.ops import DeformConv2d

from dlcore.interfaces import WeightInitializer
from dlcore_plugins.dekr.adaptive import AdaptBlock


class Dekr(WeightInitializer):
    """Small random convolutions, neutral batch norms, and adaptive blocks that do not adapt yet.

    The convolutions that move the taps of adaptive blocks begin with zeros: every tap is at its
    own cell, so that a block begins as a 1x1 convolution and learns where to look.

    DeepLabCut draws the scales of the batch norms from the same narrow normal distribution as the
    convolutions, which all but silences the blocks, and does not set the adaptive blocks apart.
    Snapshots are not affected: this is only about the start of a training.

    Args:
        std: Standard deviation of the weights of convolutions.

    Raises:
        ValueError: If `std` is negative.
    """

    def __init__(self, *, std: float = 0.001) -> None:
        if std < 0:
            raise ValueError(f"std must not be negative, got {std}")
        self.std = std

    def __call__(self, module: nn.Module) -> None:
        """Set the parameters of `module` in place."""
        for part in module.modules():
            if isinstance(part, nn.Conv2d | DeformConv2d):
                nn.init.normal_(part.weight, std=self.std)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
            elif isinstance(part, _BatchNorm) and part.affine:
                nn.init.ones_(part.weight)
                nn.init.zeros_(part.bias)
        for part in module.modules():
            if isinstance(part, AdaptBlock):
                nn.init.zeros_(part.transform_matrix_conv.weight)
                nn.init.zeros_(part.translation_conv.weight)
