"""Transformer layers and what tells them where a patch is.

Legend: B images, T tokens, K keypoints, d numbers in a token.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LONGEST_WAVE = 10_000


class Stack(nn.Module):
    """Layers of attention and feed-forward networks, each normalised before and added after.

    Args:
        dim: d.
        depth: Number of layers.
        heads: Number of attention heads.
        hidden: Numbers between the two halves of a feed-forward network.
        dropout: Share of what is dropped while training.
    """

    def __init__(self, dim: int, depth: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(
                (
                    _Residual(_Normalized(dim, _Attention(dim, heads, dropout))),
                    _Residual(_Normalized(dim, _FeedForward(dim, hidden, dropout))),
                )
            )
            for _ in range(depth)
        )

    def forward(self, tokens: Tensor, places: Tensor | None = None) -> Tensor:
        """Tokens (B, T, d) to tokens of the same shape.

        Args:
            tokens: What comes in.
            places: (1, up to T, d) added to the last tokens before every layer but the first.
        """
        layers: Any = self.layers
        for number, (attention, feed_forward) in enumerate(layers):
            if places is not None and number > 0:
                tokens = add_to_last(tokens, places)
            tokens = feed_forward(attention(tokens))
        return tokens


class _Residual(nn.Module):
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.fn(tokens) + tokens
        return result


class _Normalized(nn.Module):
    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.fn(self.norm(tokens))
        return result


class _FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        result: Tensor = self.net(tokens)
        return result


class _Attention(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.to_qkv(tokens).unflatten(2, (3, self.heads, -1))  # (B, T, 3, heads, d / heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(queries, keys, values)
        result: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return result


def add_to_last(tokens: Tensor, places: Tensor) -> Tensor:
    """Tokens (B, T, d) with places (1, up to T, d) added to the last ones."""
    before = tokens.shape[1] - places.shape[1]
    return torch.cat((tokens[:, :before], tokens[:, before:] + places), dim=1)


def sine_places(rows: int, columns: int, dim: int) -> Tensor:
    """(1, rows * columns, dim): sines and cosines of where each patch is, row by row.

    The first half of the numbers says in which row, the second half in which column.
    """
    half = dim // 2
    waves = _LONGEST_WAVE ** (2 * (torch.arange(half) // 2) / half)
    axes = []
    for count in (rows, columns):
        angles = torch.arange(1, count + 1) / (count + 1e-6) * (2 * math.pi)
        angles = angles.unsqueeze(1) / waves
        axes.append(torch.stack((angles[:, 0::2].sin(), angles[:, 1::2].cos()), dim=2).flatten(1))
    down = axes[0].unsqueeze(1).expand(rows, columns, half)
    right = axes[1].unsqueeze(0).expand(rows, columns, half)
    return torch.cat((down, right), dim=2).view(1, rows * columns, dim)
