"""The SimCC head of RTMPose: features to rows of bins along x and y.

Legend: B images, C channels, K keypoints, h w cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from dlcore import ComponentError
from dlcore.interfaces import Features, FeatureSpec, Head, PoseTask
from dlcore.layers.channels import ChannelMap, convert_channels
from dlcore_plugins.simcc.attention import GatedAttentionUnit, ScaleNorm, relative_places
from dlcore_plugins.simcc.options import GAUOptions, Size


class RTMCCHead(Head):
    """For each keypoint how likely it is in each column and in each row of a fine grid.

    It finds one individual in images of one size, such as the crops of a top-down model: its
    layers know how many cells there are.

    Outputs:
        "x": (B, K, width * simcc_split_ratio), logits of the bins from left to right.
        "y": (B, K, height * simcc_split_ratio), logits of the bins from top to bottom.

    To start a head from the weights of one with other keypoints, pass those weights through
    `convert_keypoints`.

    Args:
        features: The one map that the head receives.
        task: Not needed; `out_channels` says how many keypoints there are.
        input_size: (width, height) in pixels of the images that the network receives.
        out_channels: K, the keypoints.
        in_channels: Channels of the features; null for what they have.
        in_featuremap_size: (width, height) of the features in cells; null to derive it from
            `input_size`.
        simcc_split_ratio: Bins per pixel.
        final_layer_kernel_size: Side in cells, odd, of the convolution that makes one map per
            keypoint.
        gau_cfg: The unit in which keypoints look at each other; null for that of RTMPose.

    Raises:
        ValueError: If the sizes do not fit the features or each other.
    """

    output_names = ("x", "y")

    def __init__(
        self,
        features: Features,
        task: PoseTask,
        *,
        input_size: Size,
        out_channels: PositiveInt,
        in_channels: PositiveInt | None = None,
        in_featuremap_size: Size | None = None,
        simcc_split_ratio: PositiveFloat = 2.0,
        final_layer_kernel_size: PositiveInt = 7,
        gau_cfg: GAUOptions | None = None,
    ) -> None:
        super().__init__()
        spec = _check_features(features, in_channels)
        if final_layer_kernel_size % 2 == 0:
            raise ValueError(
                f"final_layer_kernel_size must be odd, so that the map keeps its size, "
                f"got {final_layer_kernel_size}"
            )
        self.input_size = (input_size[0], input_size[1])
        self.map_size = _map_size(self.input_size, in_featuremap_size, spec.stride)
        self.stride = spec.stride
        options = GAUOptions.model_validate(gau_cfg or {})
        cells, size = self.map_size[0] * self.map_size[1], options.hidden_dims
        # In this order DeepLabCut numbers the parameters in the states of optimizers.
        self.gau = GatedAttentionUnit(out_channels, options)
        self.final_layer = nn.Conv2d(
            spec.channels,
            out_channels,
            final_layer_kernel_size,
            padding=final_layer_kernel_size // 2,
        )
        self.mlp = nn.Sequential(ScaleNorm(cells), nn.Linear(cells, size, bias=False))
        self.cls_x = nn.Linear(size, int(self.input_size[0] * simcc_split_ratio), bias=False)
        self.cls_y = nn.Linear(size, int(self.input_size[1] * simcc_split_ratio), bias=False)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Features (B, C, h, w) of images of `input_size` to rows of bins.

        Raises:
            ComponentError: If the features are those of images of another size.
        """
        maps = self.final_layer(features)
        rows, columns = maps.shape[2:]
        if (columns, rows) != self.map_size:
            assert self.input_size is not None
            width, height = self.input_size
            raise ComponentError(
                f"RTMCCHead was built for images of {width}x{height} pixels, which give "
                f"{self.map_size[0]}x{self.map_size[1]} cells, but is given {columns}x{rows} cells "
                f"of {self.stride} pixels; set data.train.top_down_crop and "
                f"data.inference.top_down_crop to width {width} and height {height}"
            )
        keypoints = self.gau(self.mlp(maps.flatten(2)))
        return {"x": self.cls_x(keypoints), "y": self.cls_y(keypoints)}

    def convert_keypoints(
        self, state: Mapping[str, Tensor], old_indices: Sequence[int]
    ) -> dict[str, Tensor]:
        """Weights of a head with other keypoints, as weights for this head.

        The channels of the first convolution are picked and put in order. Where the attention has
        a bias for how far keypoints stand from each other in the list, the new bias of a distance
        is the mean of what the pairs that now have it had before.

        Args:
            state: State dict of a head with the same layers but other keypoints, without the
                prefix: "final_layer.weight".
            old_indices: For each keypoint of this head its index in the other head; -1 where that
                head does not know it: the weights that this head has now are kept.

        Raises:
            ValueError: If the indices do not fit one of the heads.
        """
        converted, own = dict(state), self.state_dict()
        channels = {0: ChannelMap(old_indices)}
        for key in ("final_layer.weight", "final_layer.bias"):
            if key in state:
                converted[key] = convert_channels(key, state[key], own[key], channels)
        if "gau.w" in state and "gau.w" in own:
            converted["gau.w"] = _convert_bias(state["gau.w"], own["gau.w"], old_indices)
        return converted


def _check_features(features: Features, in_channels: int | None) -> FeatureSpec:
    if not isinstance(features, FeatureSpec):
        raise ValueError(
            f"takes one feature map, but is given {len(features)}; "
            f"choose one in model.backbone or add a model.neck that joins them"
        )
    if in_channels not in (None, features.channels):
        raise ValueError(
            f"in_channels is {in_channels}, but the features have {features.channels} channels; "
            f"write {features.channels} or leave it out"
        )
    return features


def _map_size(
    input_size: tuple[int, int], given: Sequence[int] | None, stride: int
) -> tuple[int, int]:
    """(width, height) of the features in cells; backbones round up or down, so both are right."""
    if given is None:
        width, height = (math.ceil(pixels / stride) for pixels in input_size)
        return width, height
    if any(abs(c * stride - p) >= stride for c, p in zip(given, input_size, strict=True)):
        raise ValueError(
            f"in_featuremap_size is {list(given)}, but images of "
            f"{input_size[0]}x{input_size[1]} pixels (input_size) give "
            f"{[p // stride for p in input_size]} at stride {stride}; leave it out"
        )
    return given[0], given[1]


def _convert_bias(old: Tensor, own: Tensor, old_indices: Sequence[int]) -> Tensor:
    """The bias by distance, (2 K - 1)."""
    index = torch.tensor(old_indices, device=old.device)
    known = index >= 0
    former = (index - index.unsqueeze(1) + (len(old) - 1) // 2).clamp(0, len(old) - 1)
    distances = relative_places(len(index), old.device)
    pairs = (known & known.unsqueeze(1)).double().flatten()
    sums, counts = old.new_zeros(2, len(own), dtype=torch.float64)
    sums.index_add_(0, distances.flatten(), old.double()[former].flatten() * pairs)
    counts.index_add_(0, distances.flatten(), pairs)
    return torch.where(counts > 0, (sums / counts.clamp(min=1)).to(old), own.to(old))
