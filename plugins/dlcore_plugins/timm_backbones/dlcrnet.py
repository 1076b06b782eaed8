"""The ResNet with joined fine maps that DeepLabCut made for several animals."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dlcore.interfaces import Backbone, FeatureSpec
from dlcore_plugins.timm_backbones.models import build_model
from dlcore_plugins.timm_backbones.resnet import STRIDES

TAPPED_BLOCKS = 3
"""Maps are tapped after the third block of a stage, also where more blocks follow."""
FINE_CHANNELS, MIDDLE_CHANNELS, BANK_CHANNELS = 256, 512, 128


class DLCRNet(Backbone):
    """A ResNet whose last map is joined by two finer ones: 2304 channels.

    The maps at strides 4 and 8 pass through convolutions, are resized to the last map and prepended
    to it, with 128 channels each.

    Its state-dict keys are those of DeepLabCut's backbone of the same name, `model.*` and
    `conv_block*`, so that snapshots pass both ways. As there, batch-norm layers stay frozen where
    the file does not say otherwise, those of the convolutions after the taps too, which then never
    leave their initial values.

    Args:
        model_name: Name in timm of a ResNet with bottlenecks: `resnet50`, `resnet101`, ...
        pretrained: True for timm's ImageNet weights, false for random ones, or the path of a
            .safetensors, .pt or .pth file; `package:NAME/PATH` names a file of an installed Python
            package. Where the file does not say, a fresh training run takes true.
        output_stride: Input pixels per cell of the map: 8, 16 or 32. Below 32 the last stages are
            dilated instead of strided.
        detach_taps: Keep gradients from flowing into the ResNet through the two finer maps, as
            DeepLabCut does.
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
        detach_taps: bool = True,
        freeze_bn_stats: bool = True,
        freeze_bn_weights: bool = True,
    ) -> None:
        super().__init__(freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights)
        if output_stride not in STRIDES:
            raise ValueError(f"output_stride must be 8, 16 or 32, got {output_stride}")
        self.detach_taps = detach_taps
        self.model: Any = build_model(model_name, pretrained, output_stride=output_stride)
        if not _has_taps(self.model):
            raise ValueError(
                f"model_name must be a ResNet with bottlenecks such as 'resnet50', "
                f"got {model_name!r}"
            )
        self.conv_block1 = _block(MIDDLE_CHANNELS, MIDDLE_CHANNELS, 3, stride=2)
        self.conv_block2 = _block(MIDDLE_CHANNELS, BANK_CHANNELS, 1)
        self.conv_block3 = _block(FINE_CHANNELS, FINE_CHANNELS, 3, stride=2)
        self.conv_block4 = _block(FINE_CHANNELS, FINE_CHANNELS, 3, stride=2)
        self.conv_block5 = _block(FINE_CHANNELS, BANK_CHANNELS, 1)
        self.features = FeatureSpec(
            channels=2 * BANK_CHANNELS + self.model.num_features, stride=output_stride
        )
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), normalised, to one map (B, C, H / stride, W / stride)."""
        model = self.model
        features = model.maxpool(model.act1(model.bn1(model.conv1(images))))
        features, fine = _tap(model.layer1, features)
        features, middle = _tap(model.layer2, features)
        features = model.layer4(model.layer3(features))
        if self.detach_taps:
            fine, middle = fine.detach(), middle.detach()
        fine = self.conv_block5(self.conv_block4(self.conv_block3(fine)))
        middle = self.conv_block2(self.conv_block1(middle))
        return torch.cat([_resize(fine, features), _resize(middle, features), features], dim=1)


def _resize(bank: Tensor, features: Tensor) -> Tensor:
    """Resize a map to the size of the features, in float32 because CPUs cannot in bfloat16."""
    size = features.shape[2:]
    resized = interpolate(bank.float(), size, mode="bilinear", antialias=True)
    return resized.to(features.dtype)


def _tap(stage: nn.Sequential, features: Tensor) -> tuple[Tensor, Tensor]:
    """What a stage gives, and what its third block gives."""
    tapped = stage[:TAPPED_BLOCKS](features)
    return stage[TAPPED_BLOCKS:](tapped), tapped


def _has_taps(model: Any) -> bool:
    stages = [getattr(model, name, ()) for name in ("layer1", "layer2")]
    channels = [
        stage[TAPPED_BLOCKS - 1].conv3.out_channels
        for stage in stages
        if len(stage) >= TAPPED_BLOCKS and hasattr(stage[TAPPED_BLOCKS - 1], "conv3")
    ]
    return channels == [FINE_CHANNELS, MIDDLE_CHANNELS]


def _block(channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, kernel_size, stride),
        nn.BatchNorm2d(out_channels, momentum=0.001),
        nn.ReLU(),
    )
