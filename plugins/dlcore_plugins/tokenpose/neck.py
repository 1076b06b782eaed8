"""The TokenPose neck: features to one token per keypoint.

Legend: B images, C channels, K keypoints, h w cells, d numbers in a token.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from dlcore import ComponentError
from dlcore.interfaces import Features, FeatureSpec, Neck
from dlcore_plugins.tokenpose.initializing import truncated_normal
from dlcore_plugins.tokenpose.layers import Stack, add_to_last, sine_places
from dlcore_plugins.tokenpose.options import Share, Size


class Transformer(Neck):
    """A transformer in which one token per keypoint attends to patches of the features.

    It gives tokens (B, K, 3 * dim), not a map: what the keypoint tokens are after each of three
    stacks of layers. `TransformerHead` takes them. Images must have one size, such as the crops of
    a top-down model.

    Args:
        features: The one map that the backbone gives.
        feature_size: (height, width) of that map in cells.
        patch_size: (height, width) of a patch in cells; divides `feature_size`.
        num_keypoints: K.
        dim: d, a multiple of 4 and of `heads`.
        depth: Layers in each of the three stacks.
        heads: Attention heads.
        mlp_dim: Numbers between the two halves of the feed-forward networks.
        apply_init: Whether to draw the weights of linear layers from a narrow normal distribution
            instead of torch's own.
        heatmap_size: Taken for the sake of DeepLabCut's files, and without effect.
        channels: Channels of the features.
        dropout: Share of what is dropped in the layers while training.
        emb_dropout: Share of what is dropped before them.
        pos_embedding_type: What tells the layers where a patch is: "sine" adds sines once,
            "sine-full" before nearly all layers, "learnable" adds something learnt once, to the
            tokens of the keypoints too.

    Raises:
        ValueError: If the sizes do not fit the features or each other.
    """

    def __init__(
        self,
        features: Features,
        *,
        feature_size: Size,
        patch_size: Size,
        num_keypoints: PositiveInt,
        dim: PositiveInt,
        depth: PositiveInt,
        heads: PositiveInt,
        mlp_dim: PositiveInt = 3,
        apply_init: bool = False,
        heatmap_size: Size = (64, 64),
        channels: PositiveInt = 32,
        dropout: Share = 0.0,
        emb_dropout: Share = 0.0,
        pos_embedding_type: Literal["sine-full", "sine", "learnable"] = "sine-full",
    ) -> None:
        super().__init__()
        spec = _check(features, channels, feature_size, patch_size)
        if dim % heads or dim % 4:
            raise ValueError(f"dim is {dim}, but must be a multiple of 4 and of heads ({heads})")
        self.feature_size = (feature_size[0], feature_size[1])
        self.patch_size = (patch_size[0], patch_size[1])
        self.num_keypoints = num_keypoints
        self.stride = spec.stride
        self.features = FeatureSpec(3 * dim, spec.stride, tokens=num_keypoints)
        rows, columns = (f // p for f, p in zip(feature_size, patch_size, strict=True))
        self.patch_to_embedding = nn.Linear(channels * patch_size[0] * patch_size[1], dim)
        self.keypoint_token = nn.Parameter(torch.empty(1, num_keypoints, dim))
        nn.init.trunc_normal_(self.keypoint_token, std=0.02)
        if pos_embedding_type == "learnable":
            self.pos_embedding = nn.Parameter(torch.empty(1, rows * columns + num_keypoints, dim))
            nn.init.trunc_normal_(self.pos_embedding, std=0.02)
        else:
            self.pos_embedding = nn.Parameter(sine_places(rows, columns, dim), requires_grad=False)
        self.everywhere = pos_embedding_type == "sine-full"
        self.dropout = nn.Dropout(emb_dropout)
        self.transformer1 = Stack(dim, depth, heads, mlp_dim, dropout)
        self.transformer2 = Stack(dim, depth, heads, mlp_dim, dropout)
        self.transformer3 = Stack(dim, depth, heads, mlp_dim, dropout)
        if apply_init:
            self.apply(truncated_normal)

    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor:
        """Features (B, C, h, w) to tokens (B, K, 3 * dim).

        Raises:
            ComponentError: If the features are those of images of another size.
        """
        assert isinstance(features, Tensor)  # checked in the constructor
        if tuple(features.shape[2:]) != self.feature_size:
            raise ComponentError(self._wrong_size(*features.shape[2:]))
        patches = self.patch_to_embedding(self._patches(features))
        keypoints = self.keypoint_token.expand(len(features), -1, -1)
        tokens = self.dropout(
            add_to_last(torch.cat((keypoints, patches), dim=1), self.pos_embedding)
        )
        first: Tensor = self.transformer1(tokens)
        places = self.pos_embedding if self.everywhere else None
        second: Tensor = self.transformer2(first, places)
        third: Tensor = self.transformer3(second, places)
        return torch.cat([t[:, : self.num_keypoints] for t in (first, second, third)], dim=2)

    def _patches(self, features: Tensor) -> Tensor:
        """(B, patches, values): patches row by row, their cells row by row, channels last."""
        height, width = self.patch_size
        cells: Tensor = features.unflatten(3, (-1, width)).unflatten(2, (-1, height))
        return cells.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def _wrong_size(self, rows: int, columns: int) -> str:
        height, width = self.feature_size
        return (
            f"Transformer was built for features of {width}x{height} cells (feature_size), but is "
            f"given {columns}x{rows} cells of {self.stride} pixels; set data.train.top_down_crop "
            f"and data.inference.top_down_crop to width {width * self.stride} and height "
            f"{height * self.stride}"
        )


def _check(features: Features, channels: int, feature_size: Size, patch_size: Size) -> FeatureSpec:
    if not isinstance(features, FeatureSpec):
        raise ValueError(
            f"takes one feature map, but is given {len(features)}; choose one in model.backbone"
        )
    if features.channels != channels:
        raise ValueError(
            f"channels is {channels}, but the features have {features.channels} channels; "
            f"write {features.channels}"
        )
    if any(f % p for f, p in zip(feature_size, patch_size, strict=True)):
        raise ValueError(
            f"feature_size {list(feature_size)} is no multiple of patch_size {list(patch_size)}"
        )
    return features
