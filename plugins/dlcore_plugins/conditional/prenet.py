"""A backbone with a rough pose drawn into its images, with the names of DeepLabCut."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from dlcore.interfaces import Backbone
from dlcore_plugins.conditional.encoders import build_encoder
from dlcore_plugins.conditional.options import KeypointEncoderOptions, Size, check_sizes

WEIGHT_STD = 0.001
HIDDEN_CHANNELS = 64


class CondPreNet(Backbone):
    """Any backbone, behind layers that lay a drawn pose over its images.

    Its state-dict keys are those of DeepLabCut's backbone of the same name, so that snapshots pass
    both ways.

    In DeepLabCut the freeze options default to true and reach all `BatchNorm2d` layers, those of
    the inner backbone too, whatever its own options say, but no `SyncBatchNorm` (those of CSPNeXt).
    Where the file does not say, this is what happens here. What the file says goes for every
    batch-norm layer.

    Args:
        backbone: The backbone that gets the images.
        kpt_encoder: How the pose is drawn: `StackedKeypointEncoder` or `ColoredKeypointEncoder`.
        img_size: [height, width] of the crops in pixels. The layers here take any other, too.
        freeze_bn_stats: Use the running statistics of batch-norm layers and do not update them.
        freeze_bn_weights: Do not train scale and shift of batch-norm layers.

    Raises:
        ValueError: If an option is wrong.
    """

    takes_conditions: ClassVar[bool] = True

    def __init__(
        self,
        *,
        backbone: Backbone,
        kpt_encoder: KeypointEncoderOptions,
        img_size: Size = [256, 256],  # noqa: B006  read from the source, never changed
        freeze_bn_stats: bool | None = None,
        freeze_bn_weights: bool | None = None,
    ) -> None:
        super().__init__(
            freeze_bn_stats=bool(freeze_bn_stats), freeze_bn_weights=bool(freeze_bn_weights)
        )
        if backbone.takes_conditions:
            raise ValueError(
                f"backbone: {type(backbone).__name__} takes rough poses itself; choose another"
            )
        self._freeze_plain_stats = freeze_bn_stats is None
        self._freeze_plain_weights = freeze_bn_weights is None
        check_sizes(img_size, kpt_encoder)
        self.input_size = backbone.input_size
        self.backbone = backbone
        self.kpt_encoder = build_encoder(kpt_encoder)
        self.rgb_preNet = nn.Sequential(
            nn.Conv2d(3, HIDDEN_CHANNELS, 3, padding=1),
            nn.BatchNorm2d(HIDDEN_CHANNELS),
            nn.Conv2d(HIDDEN_CHANNELS, 3, 7, padding=3),
            nn.BatchNorm2d(3),
        )
        self.cond_preNet = nn.Sequential(
            nn.Conv2d(self.kpt_encoder.channels, 3, 7, padding=3), nn.BatchNorm2d(3)
        )
        for module in (*self.rgb_preNet, *self.cond_preNet):
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=WEIGHT_STD)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.features = backbone.features
        self.train()

    def train(self, mode: bool = True) -> CondPreNet:
        """Switch between training and evaluation, keeping frozen batch-norm layers frozen."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                if self._freeze_plain_weights and module.affine:
                    module.weight.requires_grad_(False)
                    module.bias.requires_grad_(False)
                if self._freeze_plain_stats:
                    module.eval()
        return self

    def forward(  # type: ignore[override]  # see takes_conditions
        self, images: Tensor, conditions: Tensor
    ) -> Tensor | tuple[Tensor, ...]:
        """Images and rough poses to the maps of the inner backbone.

        Args:
            images: (B, 3, H, W), normalised.
            conditions: (B, K, 3) x, y, score or visibility, in pixels of the images.
        """
        height, width = images.shape[2:]
        pose = self.kpt_encoder(conditions, (height, width))
        maps: Tensor | tuple[Tensor, ...] = self.backbone(
            self.rgb_preNet(images) + self.cond_preNet(pose)
        )
        return maps
