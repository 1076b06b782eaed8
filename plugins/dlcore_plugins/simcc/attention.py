"""The gated attention unit of a SimCC head, in which keypoints look at each other.

Legend: B images, K keypoints, d numbers that describe a keypoint, e numbers in a value, s numbers
in a query or key.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from dlcore_plugins.simcc.options import GAUOptions

_EPSILON = 1e-5
_LONGEST_WAVE = 10_000  # of the rotary encoding, in places of the list over 2 pi


class ScaleNorm(nn.Module):
    """Gives vectors the same length, which is learnt.

    Args:
        size: Numbers in a vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.scale = size**-0.5
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors (*, size) to vectors of the same shape."""
        norm = vectors.norm(dim=-1, keepdim=True) * self.scale
        result: Tensor = vectors / norm.clamp(min=_EPSILON) * self.g
        return result


class GatedAttentionUnit(nn.Module):
    """Attention with squared ReLU instead of softmax, and a gate instead of heads.

    Args:
        num_keypoints: K.
        options: Its sizes and what it may do.
    """

    def __init__(self, num_keypoints: int, options: GAUOptions) -> None:
        super().__init__()
        size, self.s = options.hidden_dims, options.s
        self.e = size * options.expansion_factor
        self.pos_enc = options.pos_enc
        self.drop_path = options.drop_path
        self.gamma = nn.Parameter(torch.rand(2, self.s))
        self.beta = nn.Parameter(torch.rand(2, self.s))
        self.o = nn.Linear(self.e, size, bias=False)
        self.uv = nn.Linear(size, 2 * self.e + self.s, bias=False)
        nn.init.xavier_uniform_(self.uv.weight)
        self.ln = ScaleNorm(size)
        self.res_scale = _Scale(size)
        self.activation = nn.SiLU() if options.act_fn == "SiLU" else nn.ReLU()
        self.dropout = nn.Dropout(options.dropout_rate)
        if options.use_rel_bias:
            self.w = nn.Parameter(torch.rand(2 * num_keypoints - 1))
        self.use_rel_bias = options.use_rel_bias

    def forward(self, keypoints: Tensor) -> Tensor:
        """Descriptions (B, K, d) to descriptions of the same shape."""
        changes = self._attend(self.ln(keypoints))
        if self.training and self.drop_path:
            kept = torch.rand(len(keypoints), 1, 1, device=keypoints.device) >= self.drop_path
            changes = changes * kept / (1 - self.drop_path)
        result: Tensor = self.res_scale(keypoints) + changes
        return result

    def _attend(self, keypoints: Tensor) -> Tensor:
        expanded = self.activation(self.uv(keypoints))
        gates, values, base = expanded.split((self.e, self.e, self.s), dim=-1)
        both = base.unsqueeze(2) * self.gamma + self.beta  # (B, K, 2, s)
        if self.pos_enc:
            both = _rotated(both)
        queries, keys = both.unbind(dim=2)
        likeness = queries @ keys.transpose(1, 2)
        if self.use_rel_bias:
            likeness = likeness + self.w[relative_places(keypoints.shape[1], self.w.device)]
        attention = self.dropout((likeness / math.sqrt(self.s)).relu().square())
        result: Tensor = self.o(gates * (attention @ values))
        return result


class _Scale(nn.Module):
    """One learnt factor for each number."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(size))

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors * self.scale


def relative_places(num_keypoints: int, device: torch.device) -> Tensor:
    """(K, K) for row i and column j the index j - i + K - 1 of how far j stands from i."""
    places = torch.arange(num_keypoints, device=device)
    return places - places.unsqueeze(1) + num_keypoints - 1


def _rotated(vectors: Tensor) -> Tensor:
    """Rotary encoding of vectors (B, K, *, s) by their place among the K."""
    count, half = vectors.shape[1], vectors.shape[-1] // 2
    frequencies = _LONGEST_WAVE ** (-torch.arange(half, device=vectors.device) / half)
    angles = torch.arange(count, device=vectors.device).unsqueeze(1) * frequencies
    cos, sin = angles.cos().unsqueeze(1), angles.sin().unsqueeze(1)
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
