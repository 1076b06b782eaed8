"""The DEKR head: heatmaps of keypoints and centres, and offsets from centres to keypoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from dlcore.interfaces import Features, FeatureSpec, Head, PoseTask
from dlcore.layers.channels import ChannelMap, convert_channels
from dlcore_plugins.dekr.adaptive import AdaptBlock, adapt, grouped
from dlcore_plugins.dekr.options import HeatmapLayersOptions, OffsetLayersOptions

_MAPS = "heatmap_head.head_heatmap.1."
_TRANSITION = "offset_head.transition_offset."
_PER_KEYPOINT = ("offset_head.offset_feature_layers.", "offset_head.offset_final_layer.")


class DEKRHead(Head):
    """Where centres and keypoints are, and the way from each cell to the keypoints around it.

    Each keypoint has layers of its own for its offset, with convolutions whose taps move to where
    the features say: the head looks at the keypoint, not only at the centre (disentangled keypoint
    regression). It keeps the resolution of the features; use them at stride 4 or so.

    Outputs:
        "heatmap": (B, K + 1, h, w), how much a cell looks like each keypoint; the last map is the
            centre of an individual.
        "offset": (B, 2 K, h, w), x and y from each keypoint to the cell, in cells: a keypoint is
            at the cell minus its offset.

    To start a head from the weights of one with other keypoints, pass those weights through
    `convert_keypoints`.

    Args:
        features: The one map that the head receives.
        task: The keypoints.
        heatmap_config: Layers of "heatmap".
        offset_config: Layers of "offset".
        stride: Only 1: the layers keep the resolution of the features.

    Raises:
        ValueError: If the configs do not fit the features, the keypoints or each other.
    """

    output_names = ("heatmap", "offset")

    def __init__(
        self,
        features: Features,
        task: PoseTask,
        *,
        heatmap_config: HeatmapLayersOptions,
        offset_config: OffsetLayersOptions,
        stride: int = 1,
    ) -> None:
        super().__init__()
        heatmap = HeatmapLayersOptions.model_validate(heatmap_config)
        offset = OffsetLayersOptions.model_validate(offset_config)
        if stride != 1:
            raise ValueError(
                f"stride is {stride}, but the layers keep the resolution of the features; "
                f"leave it out or write 1"
            )
        _check_features("heatmap_config", heatmap.channels, features)
        _check_features("offset_config", offset.channels, features)
        for key, last, needed in (
            ("heatmap_config", heatmap.channels[2], task.num_keypoints + 1),
            ("offset_config", offset.channels[2], task.num_keypoints),
        ):
            if last != needed:
                what = "keypoints and their centre" if needed > task.num_keypoints else "keypoints"
                raise ValueError(
                    f"{key}.channels ends with {last}, but {task.num_keypoints} {what} need "
                    f"{needed}"
                )
        self.heatmap_head = _HeatmapLayers(heatmap)
        self.offset_head = _OffsetLayers(offset)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features (B, C, h, w) to maps of the same size."""
        return {"heatmap": self.heatmap_head(features), "offset": self.offset_head(features)}

    def convert_keypoints(
        self, state: Mapping[str, Tensor], old_indices: Sequence[int]
    ) -> dict[str, Tensor]:
        """Weights of a head with other keypoints, as weights for this head.

        Args:
            state: State dict of a head with the same layers but other keypoints, without the
                prefix: "heatmap_head.transition_heatmap.0.weight".
            old_indices: For each keypoint of this head its index in the other head; -1 where that
                head does not know it: the weights that this head has now are kept.

        Raises:
            ValueError: If the indices do not fit one of the heads.
        """
        if f"{_MAPS}bias" not in state:
            return dict(state)  # of another kind of head
        former = len(state[f"{_MAPS}bias"]) - 1
        if max(old_indices) >= former:
            raise ValueError(f"index {max(old_indices)} is beyond the last of {former} keypoints")
        own_channels = range(self.offset_head.channels_per_keypoint)
        transition = [
            index * len(own_channels) + channel if index >= 0 else -1
            for index in old_indices
            for channel in own_channels
        ]
        rows_of = {_MAPS: [*old_indices, former], _TRANSITION: transition}
        converted = {}
        for key, value in self.state_dict().items():
            former_key = _key_of_keypoint(key, old_indices)
            if former_key not in state:
                continue
            converted[key] = state[former_key]
            for prefix, rows in rows_of.items():
                if key.startswith(prefix) and value.ndim:
                    converted[key] = convert_channels(key, state[key], value, {0: ChannelMap(rows)})
        return converted


class _HeatmapLayers(nn.Module):
    """One convolution, residual blocks, and one convolution to the maps."""

    def __init__(self, options: HeatmapLayersOptions) -> None:
        super().__init__()
        before, channels, maps = options.channels
        self.transition_heatmap = _transition(before, channels)
        blocks = [_BasicBlock(channels, options.dilation_rate) for _ in range(options.num_blocks)]
        self.head_heatmap = nn.Sequential(
            nn.Sequential(*blocks), _last_layer(channels, maps, options.final_conv_kernel)
        )

    def forward(self, features: Tensor) -> Tensor:
        maps: Tensor = self.head_heatmap(self.transition_heatmap(features))
        return maps


class _OffsetLayers(nn.Module):
    """One convolution for all keypoints, then adaptive blocks for each of them."""

    def __init__(self, options: OffsetLayersOptions) -> None:
        super().__init__()
        before, channels, keypoints = options.channels
        own = options.num_offset_per_kpt
        self.channels_per_keypoint = own
        self.num_blocks = options.num_blocks
        self.transition_offset = _transition(before, channels)
        self.offset_feature_layers = nn.ModuleList(
            nn.ModuleList(AdaptBlock(own, options.dilation_rate) for _ in range(self.num_blocks))
            for _ in range(keypoints)
        )
        self.offset_final_layer = nn.ModuleList(
            _last_layer(own, 2, options.final_conv_kernel) for _ in range(keypoints)
        )

    def forward(self, features: Tensor) -> Tensor:
        features = self.transition_offset(features)
        columns: Any = self.offset_feature_layers
        for depth in range(self.num_blocks):
            features = adapt(features, [blocks[depth] for blocks in columns])
        last: Any = self.offset_final_layer
        return grouped(features, list(last))


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        result = F.relu(self.bn1(self.conv1(features)))
        return F.relu(self.bn2(self.conv2(result)) + features)


def _transition(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def _last_layer(before: int, after: int, kernel_size: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2)


def _check_features(key: str, channels: Sequence[int], features: Features) -> None:
    if not isinstance(features, FeatureSpec):
        raise ValueError(
            f"takes one feature map, but is given {len(features)}; "
            f"choose one in model.backbone or add a model.neck that joins them"
        )
    if channels[0] != features.channels:
        raise ValueError(
            f"{key}.channels begins with {channels[0]}, but the features have "
            f"{features.channels} channels; write {features.channels}"
        )


def _key_of_keypoint(key: str, old_indices: Sequence[int]) -> str:
    """The key in a head with other keypoints; of none where that head lacks the keypoint."""
    for prefix in _PER_KEYPOINT:
        if key.startswith(prefix):
            index, _, rest = key.removeprefix(prefix).partition(".")
            return f"{prefix}{old_indices[int(index)]}.{rest}"
    return key
