"""Backbones: images to feature maps."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlcore.interfaces.types import Features


class Backbone(nn.Module):
    """Turns images into one feature map, or into several with the finest first.

    A subclass sets `features` in its constructor. What YAML may set are its keyword-only
    parameters. One that can start from trained weights takes the option
    `pretrained: bool | str | None = None`: True for the weights it knows where to get, a string
    for a local file, False for none. Where the file does not say (None), the engine fills in True
    for a fresh training run and False when other weights are loaded anyway.

    Attributes:
        features: Channels and stride of what `forward` gives.
        takes_conditions: Whether `forward` takes `(images, conditions)`, with rough poses (B, K, 3)
            in pixels of the images (conditional top-down).
        input_size: (width, height) of the only images that it takes; None for any size.

    Args:
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.
    """

    takes_conditions: ClassVar[bool] = False
    input_size: tuple[int, int] | None = None
    features: Features

    def __init__(self, *, freeze_bn_stats: bool = False, freeze_bn_weights: bool = False) -> None:
        super().__init__()
        self.freeze_bn_stats = freeze_bn_stats
        self.freeze_bn_weights = freeze_bn_weights

    def train(self, mode: bool = True) -> Backbone:
        """Switch between training and evaluation, keeping frozen batch-norm layers frozen."""
        super().train(mode)
        if self.freeze_bn_stats or self.freeze_bn_weights:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    if self.freeze_bn_weights and module.affine:
                        module.weight.requires_grad_(False)
                        module.bias.requires_grad_(False)
                    if self.freeze_bn_stats:
                        module.eval()
        return self

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Images (B, 3, H, W), RGB and normalised, to maps (B, C, H / stride, W / stride)."""
        raise NotImplementedError
