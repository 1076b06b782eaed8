"""Weights of a layer from those of one with other channels, for heads that meet new keypoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ChannelMap:
    """Where the channels of a layer are found in another layer.

    Attributes:
        indices: For each channel its index in the other layer; negative where it has none.
        signs: For each channel 1, or -1 where it has the opposite sign there; empty for all 1.
    """

    indices: Sequence[int]
    signs: Sequence[int] = ()


def offset_channels(maps: Sequence[int]) -> list[int]:
    """Indices of the offset maps (x before y) that belong to heatmaps; negative ones stay so."""
    return [2 * index + axis for index in maps for axis in (0, 1)]


def convert_channels(
    key: str, old: Tensor, own: Tensor, channels: Mapping[int, ChannelMap]
) -> Tensor:
    """Pick the channels of a tensor from one of another layer.

    Args:
        key: Name of the tensor, for errors.
        old: The tensor of the other layer.
        own: The tensor of this layer, kept where the other layer lacks one of the channels.
        channels: By axis; along other axes both tensors have the same channels.

    Raises:
        ValueError: If the maps or the other axes do not fit.
    """
    picked, known = old, torch.ones((1,) * own.ndim, dtype=torch.bool, device=old.device)
    for axis, channel_map in channels.items():
        indices = channel_map.indices
        if len(indices) != own.shape[axis]:
            raise ValueError(f"{key}: {own.shape[axis]} channels, but {len(indices)} indices")
        if max(indices) >= old.shape[axis]:
            raise ValueError(
                f"{key}: index {max(indices)} is beyond the last of {old.shape[axis]} channels"
            )
        along = [-1 if i == axis else 1 for i in range(own.ndim)]
        index = torch.tensor(indices, device=old.device)
        picked = picked.index_select(axis, index.clamp(min=0))
        known = known & (index >= 0).view(along)
        if channel_map.signs:
            picked = picked * picked.new_tensor(channel_map.signs).view(along)
    if picked.shape != own.shape:
        raise ValueError(
            f"{key}: the shape {tuple(old.shape)} belongs to other layers than {tuple(own.shape)}"
        )
    return torch.where(known, picked, own.to(picked))
