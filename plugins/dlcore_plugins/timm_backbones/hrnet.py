"""High-resolution networks, with the names and defaults of DeepLabCut."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from dlcore.interfaces import Backbone, FeatureSpec
from dlcore_plugins.timm_backbones.models import build_model

STRIDE = 4
COARSEST_STRIDE = 32


class HRNet(Backbone):
    """A high-resolution network of timm: one map at stride 4.

    Four branches, at strides 4, 8, 16 and 32, exchange what they see. By default the map is what
    the finest branch gives.

    Its state-dict keys are those of DeepLabCut's backbone of the same name, `model.*`, so that
    snapshots pass both ways. The pretrained weights expect the normalisation of ImageNet, which is
    what `normalize_images` does.

    Images may have any size. The branches only fit together where both sides are multiples of 32,
    so images are filled up with zeros on the right and at the bottom and the map is cut to
    ceil(side / 4) again; `auto_padding` saves the network that work.

    Args:
        model_name: Name in timm: `hrnet_w18`, `hrnet_w32`, `hrnet_w48`, ...
        pretrained: True for timm's ImageNet weights, false for random ones, or the path of a
            .safetensors, .pt or .pth file; `package:NAME/PATH` names a file of an installed Python
            package. Where the file does not say, a fresh training run takes true.
        stride: Input pixels per cell of the map; only 4 exists.
        interpolate_branches: Resize the maps of the other branches to the finest one and append
            their channels to it.
        increased_channel_count: Widen each branch with a layer of the classifier: 128 channels for
            the finest one, 1920 for all four.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.

    Raises:
        ValueError: If there is no such model, its weights cannot be had, or an option is wrong.
    """

    def __init__(
        self,
        *,
        model_name: str = "hrnet_w32",
        pretrained: bool | str | None = None,
        stride: int = STRIDE,
        interpolate_branches: bool = False,
        increased_channel_count: bool = False,
        freeze_bn_stats: bool = True,
        freeze_bn_weights: bool = True,
    ) -> None:
        super().__init__(freeze_bn_stats=freeze_bn_stats, freeze_bn_weights=freeze_bn_weights)
        if stride != STRIDE:
            raise ValueError(f"stride of an HRNet is {STRIDE}, got {stride}")
        if not model_name.startswith("hrnet"):
            raise ValueError(f"model_name must be an HRNet such as 'hrnet_w32', got {model_name!r}")
        self.interpolate_branches = interpolate_branches
        self.model: Any = build_model(
            model_name,
            pretrained,
            features_only=True,
            out_indices=(1, 2, 3, 4),
            feature_location="incre" if increased_channel_count else "",
        )
        channels: list[int] = self.model.feature_info.channels()
        if not interpolate_branches:
            self._leave_coarse_maps_untrained()
        self.features = FeatureSpec(
            channels=sum(channels) if interpolate_branches else channels[0], stride=STRIDE
        )
        self.train()

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W), normalised, to one map (B, C, H / 4, W / 4), rounded up."""
        height, width = images.shape[2:]
        fill = (0, -width % COARSEST_STRIDE, 0, -height % COARSEST_STRIDE)
        features, *coarse = self.model(pad(images, fill))
        if self.interpolate_branches:
            size = features.shape[2:]
            resized = [interpolate(maps, size, mode="bilinear") for maps in coarse]
            features = torch.cat([features, *resized], dim=1)
        cells: Tensor = features[:, :, : -(-height // STRIDE), : -(-width // STRIDE)]
        return cells

    def _leave_coarse_maps_untrained(self) -> None:
        """What makes the last maps of the other branches stays, for its names, but is not used."""
        unused: list[nn.Module] = list(self.model.stage4[-1].fuse_layers[1:])
        if self.model.incre_modules is not None:
            unused += self.model.incre_modules[1:]
        for module in unused:
            module.requires_grad_(False)
