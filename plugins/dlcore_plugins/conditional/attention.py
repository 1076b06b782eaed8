"""Attention between the maps of a branch and a drawn pose, as in CoAM-W networks.

Legend: B crops, C channels of the branch, D maps of the pose, h w cells, n heads.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

DROPOUT = 0.1
LINEAR_STD = 0.001


class PositionAttention(nn.Module):
    """Each cell looks at all cells, asking with what the pose has there.

    Args:
        channels: C.
        query_channels: D, or None for maps that ask themselves.
        heads: n.
    """

    def __init__(self, channels: int, query_channels: int | None, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.cnn = nn.Conv2d(channels, channels, 3, padding=1)
        asking = channels if query_channels is None else query_channels
        self.pa = nn.ModuleDict(
            {
                "fc_q": nn.Linear(asking, heads * channels),
                "fc_k": nn.Linear(channels, heads * channels),
                "fc_v": nn.Linear(channels, heads * channels),
                "fc_o": nn.Linear(heads * channels, channels),
            }
        )
        if query_channels is not None:
            self.cnn_cond = nn.Conv2d(query_channels, query_channels, 3, padding=1)

    def forward(self, maps: Tensor, pose: Tensor | None) -> Tensor:
        """Maps (B, C, h, w) and a pose (B, D, *, *) of as many cells, or None, to (B, C, h, w)."""
        cells = self.cnn(maps).flatten(2).transpose(1, 2)
        asking = cells if pose is None else self.cnn_cond(pose).flatten(2).transpose(1, 2)
        query, key, value = (
            layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, tokens in (
                (self.pa["fc_q"], asking),
                (self.pa["fc_k"], cells),
                (self.pa["fc_v"], cells),
            )
        )
        found = scaled_dot_product_attention(query, key, value, dropout_p=_dropout(self))
        mixed: Tensor = self.pa["fc_o"](found.transpose(1, 2).flatten(2))
        return mixed.transpose(1, 2).reshape(maps.shape)


class ChannelAttention(nn.Module):
    """Each channel looks at all channels, asking with what the pose has in it.

    Args:
        channels: C.
        query_channels: D, or None for maps that ask themselves.
        num_cells: h * w, which must be a multiple of `heads`.
        heads: n.
    """

    def __init__(
        self, channels: int, query_channels: int | None, num_cells: int, heads: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.cnn = nn.Conv2d(channels, channels, 3, padding=1)
        if query_channels is not None:
            self.cnn_cond = nn.Conv2d(query_channels, channels, 3, padding=1)
        self.pa = nn.ModuleDict({"fc_o": nn.Linear(num_cells, num_cells)})

    def forward(self, maps: Tensor, pose: Tensor | None) -> Tensor:
        """Maps (B, C, h, w) and a pose (B, D, *, *) of as many cells, or None, to (B, C, h, w)."""
        own = self._split(self.cnn(maps))
        query = own if pose is None else self._split(self.cnn_cond(pose))
        found = scaled_dot_product_attention(query, own, own, dropout_p=_dropout(self))
        mixed: Tensor = self.pa["fc_o"](found.transpose(1, 2).flatten(2))
        return mixed.view_as(maps)

    def _split(self, maps: Tensor) -> Tensor:
        """(B, n, C, h * w / n)."""
        parts: Tensor = maps.flatten(2).unflatten(2, (self.heads, -1))
        return parts.transpose(1, 2)


class DualAttention(nn.Module):
    """Adds to the maps of a branch what positions and channels find; or scales them by channels.

    Args:
        channels: C.
        query_channels: D, or None for maps that ask themselves.
        size: (h, w) of the branch.
        heads: n.
        channel_only: Leave out the positions, and multiply with what the channels find.
    """

    def __init__(
        self,
        channels: int,
        query_channels: int | None,
        size: tuple[int, int],
        heads: int,
        channel_only: bool,
    ) -> None:
        super().__init__()
        height, width = size
        self.size = size
        if not channel_only:
            self.position_attention_module = PositionAttention(channels, query_channels, heads)
        self.channel_attention_module = ChannelAttention(
            channels, query_channels, height * width, heads
        )
        self.channel_only = channel_only

    def forward(self, maps: Tensor, pose: Tensor | None) -> Tensor:
        """Maps (B, C, h, w) and a drawn pose (B, D, H, W), or None, to maps (B, C, h, w)."""
        if pose is not None:
            height, width = self.size
            # height and width change places, as they do in DeepLabCut: its weights expect it, and
            # the number of cells is the same
            pose = interpolate(pose, (width, height), mode="bilinear", antialias=True)
        by_channel: Tensor = self.channel_attention_module(maps, pose)
        if self.channel_only:
            return maps * by_channel
        by_position: Tensor = self.position_attention_module(maps, pose)
        return maps + by_position + by_channel


class AttentionStage(nn.Module):
    """Dual attention on several branches of a network.

    Args:
        channels: C of each branch, finest first.
        query_channels: D, or None for maps that ask themselves.
        sizes: (h, w) of each branch.
        heads: n.
        channel_only: As in `DualAttention`.
    """

    def __init__(
        self,
        channels: Sequence[int],
        query_channels: int | None,
        sizes: Sequence[tuple[int, int]],
        heads: int,
        channel_only: bool,
    ) -> None:
        super().__init__()
        self.att_layers = nn.ModuleList(
            DualAttention(count, query_channels, size, heads, channel_only)
            for count, size in zip(channels, sizes, strict=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=LINEAR_STD)
                nn.init.zeros_(module.bias)

    def forward(self, branches: list[Tensor], pose: Tensor | None) -> list[Tensor]:
        """Maps of the branches, of which the first ones are attended to, and a drawn pose."""
        attended = [layer(maps, pose) for layer, maps in zip(self.att_layers, branches)]  # noqa: B905
        return attended + branches[len(attended) :]


def _dropout(module: nn.Module) -> float:
    return DROPOUT if module.training else 0.0
