"""The feature pyramid: what coarse maps know, at the resolution of a fine one.

The design is that of Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017.

Legend: B images, C channels, h w cells.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from dlcore.interfaces import Features, FeatureSpec, Neck


class FeaturePyramid(Neck):
    """Joins several maps of a backbone into one.

    Each map passes a 1x1 convolution. The coarsest is then enlarged and added to the next finer
    one, the sum to the next, and so on; a 3x3 convolution smooths the last sum. A coarse cell is
    laid over exactly those fine cells that cover the same pixels, for images of odd size too.

    The backbone must give several maps: `out_indices: [0, 1, 2, 3]` of a `TimmBackbone`, say.

    Args:
        features: The maps of the backbone, finest first.
        channels: C of the joined map.
        stride: Stride of the joined map, one of those of the given maps; finer maps are left out.
            Null for the finest.
        interpolation: How coarse maps are enlarged; "nearest" as in the paper, or "bilinear".
        normalize: Whether the channels of each cell of the given maps are normalised first (layer
            norm). The stages of a ConvNeXt or a Swin differ in scale and need it, those of a
            network with batch norm do not.
        relu: Whether a ReLU follows the smoothing, for heads that consist of a single layer.

    Raises:
        ValueError: If there are not several maps, or none has the stride.
    """

    def __init__(
        self,
        features: Features,
        *,
        channels: PositiveInt = 256,
        stride: PositiveInt | None = None,
        interpolation: Literal["nearest", "bilinear"] = "nearest",
        normalize: bool = False,
        relu: bool = False,
    ) -> None:
        super().__init__()
        levels = _joined(features, stride)
        self.strides = [level.stride for level in levels]
        self.interpolation = interpolation
        self.features: FeatureSpec = FeatureSpec(channels, levels[0].stride)
        self.norms = nn.ModuleList(
            _CellNorm(level.channels) if normalize else nn.Identity() for level in levels
        )
        self.lateral = nn.ModuleList(nn.Conv2d(level.channels, channels, 1) for level in levels)
        self.smooth = nn.Conv2d(channels, channels, 3, padding=1)
        self.activation = nn.ReLU() if relu else nn.Identity()
        for layer in (*self.lateral, self.smooth):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Maps (B, *, h, w), finest first, to one map (B, C, h, w) of the wanted stride."""
        maps = [
            lateral(norm(level))
            for lateral, norm, level in zip(
                self.lateral, self.norms, features[-len(self.strides) :], strict=True
            )
        ]
        joined: Tensor = maps[-1]
        for level in range(len(maps) - 2, -1, -1):
            ratio = self.strides[level + 1] / self.strides[level]
            joined = maps[level] + self._enlarged(joined, ratio, maps[level])
        smoothed: Tensor = self.activation(self.smooth(joined))
        return smoothed

    def _enlarged(self, coarse: Tensor, ratio: float, fine: Tensor) -> Tensor:
        """A coarse map on the cells of a fine one.

        Cells are not stretched to fit: where a map covers more pixels than the other, it is cut, or
        continued by its last cells.
        """
        if ratio != 1:
            coarse = interpolate(coarse, scale_factor=ratio, mode=self.interpolation)
        rows, columns = fine.shape[2:]
        cut = coarse[:, :, :rows, :columns]
        missing = (0, columns - cut.shape[3], 0, rows - cut.shape[2])
        return pad(cut, missing, mode="replicate") if any(missing) else cut


class _CellNorm(nn.LayerNorm):
    """Layer norm over the channels of each cell."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.movedim(1, -1)).movedim(-1, 1)


def _joined(features: Features, stride: int | None) -> tuple[FeatureSpec, ...]:
    """The maps that are joined, finest first."""
    if isinstance(features, FeatureSpec) or len(features) < 2:
        raise ValueError(
            "joins several feature maps, but is given one; let model.backbone give more, with "
            "out_indices: [0, 1, 2, 3] of a TimmBackbone, say"
        )
    strides = [level.stride for level in features]
    if stride is None:
        return features
    if stride not in strides:
        raise ValueError(
            f"stride is {stride}, but the maps have the strides {', '.join(map(str, strides))}; "
            f"choose one of them, or null for {strides[0]}"
        )
    joined = features[strides.index(stride) :]
    if len(joined) < 2:
        raise ValueError(
            f"stride is {stride}, which is that of the coarsest map, so that nothing is joined; "
            f"choose one of {', '.join(map(str, strides[:-1]))}"
        )
    return joined
