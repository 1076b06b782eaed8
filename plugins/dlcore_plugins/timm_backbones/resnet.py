"""Residual networks, with the names and defaults of DeepLabCut."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dlcore.interfaces import Backbone
from dlcore_plugins.timm_backbones.models import build_model, probe

STRIDES = (8, 16, 32)


class ResNet(Backbone):
    """A residual network of timm: one map, after its last stage.

    Its state-dict keys are those of DeepLabCut's backbone of the same name, `model.*`, so that
    snapshots pass both ways. The pretrained weights expect the normalisation of ImageNet, which is
    what `normalize_images` does.

    Args:
        model_name: Name in timm: `resnet50`, `resnet50_gn`, `resnet101`, ...
        pretrained: True for timm's ImageNet weights, false for random ones, or the path of a
            .safetensors, .pt or .pth file; `package:NAME/PATH` names a file of an installed Python
            package. Where the file does not say, a fresh training run takes true.
        output_stride: Input pixels per cell of the map: 8, 16 or 32. Below 32 the last stages are
            dilated instead of strided.
        drop_path_rate: Probability of skipping a block while training, for the last block; the
            others grow towards it.
        drop_block_rate: Probability of blanking a square of a map while training.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.

    Raises:
        ValueError: If there is no such model, its weights cannot be had, or an option is wrong.
    """

    def __init__(
        self,
        *,
        model_name: str = "resnet50",
        pretrained: bool | str | None = None,
        output_stride: int = 32,
        drop_path_rate: float = 0.0,
        drop_block_rate: float = 0.0,
        freeze_bn_stats: bool = True,
        freeze_bn_weights: bool = True,
    ) -> None:
        super().__init__(freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights)
        if output_stride not in STRIDES:
            raise ValueError(f"output_stride must be 8, 16 or 32, got {output_stride}")
        self.model: Any = build_model(
            model_name,
            pretrained,
            output_stride=output_stride,
            drop_path_rate=drop_path_rate,
            drop_block_rate=drop_block_rate,
        )
        (self.features,) = probe(
            lambda images: [self(images)], self.model, (64, 64), [output_stride]
        )
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), normalised, to one map (B, C, H / stride, W / stride)."""
        features: Tensor = self.model.forward_features(images)
        return features
