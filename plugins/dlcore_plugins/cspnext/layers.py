"""The blocks of CSPNeXt. Names of submodules are those of DeepLabCut's state dicts.

All keep the height and width of a map, except a `ConvModule` with a stride.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import hardsigmoid

POOL_SIZE = 5

MakeConv = Callable[..., "ConvModule"]
"""(in_channels, out_channels, kernel_size, *, stride=1, groups=1) to a ConvModule."""


class SyncNorm(nn.SyncBatchNorm):
    """Batch norm over the batches of all processes, on GPUs; over its own batch on CPUs.

    PyTorch's refuses to train on CPUs once there are several processes.
    """

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        if features.is_cpu:
            return super(nn.SyncBatchNorm, self).forward(features)  # the plain batch norm below it
        return super().forward(features)


class ConvModule(nn.Module):
    """A convolution without bias, a norm and an activation."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        norm: Callable[[int], nn.Module],
        activation: Callable[..., nn.Module],
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        )
        self.norm = norm(out_channels)
        self.activate = activation(inplace=True)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride), rounded up."""
        result: Tensor = self.activate(self.norm(self.conv(features)))
        return result


class DepthwiseSeparableConv(nn.Module):
    """A 5x5 convolution of each channel, then a 1x1 convolution of all."""

    def __init__(self, channels: int, conv: MakeConv) -> None:
        super().__init__()
        self.depthwise_conv = conv(channels, channels, 5, groups=channels)
        self.pointwise_conv = conv(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        result: Tensor = self.pointwise_conv(self.depthwise_conv(features))
        return result


class CSPNeXtBlock(nn.Module):
    """A 3x3 and a wide separable convolution, with a shortcut around them or without."""

    def __init__(self, channels: int, *, shortcut: bool, conv: MakeConv) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels, 3)
        self.conv2 = DepthwiseSeparableConv(channels, conv)
        self.shortcut = shortcut

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        result: Tensor = self.conv2(self.conv1(features))
        return result + features if self.shortcut else result


class ChannelAttention(nn.Module):
    """Weighs each channel by what all channels hold on average."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        return features * hardsigmoid(self.fc(features.mean((2, 3), keepdim=True)))


class CSPLayer(nn.Module):
    """Blocks on one part of the channels, beside a plain convolution for the other part."""

    def __init__(
        self,
        channels: int,
        *,
        num_blocks: int,
        expand_ratio: float,
        shortcut: bool,
        attention: bool,
        conv: MakeConv,
    ) -> None:
        super().__init__()
        hidden = int(channels * expand_ratio)
        self.main_conv = conv(channels, hidden, 1)
        self.short_conv = conv(channels, hidden, 1)
        self.final_conv = conv(2 * hidden, channels, 1)
        self.blocks = nn.Sequential(
            *(CSPNeXtBlock(hidden, shortcut=shortcut, conv=conv) for _ in range(num_blocks))
        )
        self.attention = ChannelAttention(2 * hidden) if attention else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        main = self.blocks(self.main_conv(features))
        joined = torch.cat([main, self.short_conv(features)], dim=1)
        result: Tensor = self.final_conv(self.attention(joined))
        return result


class SpatialPyramidPooling(nn.Module):
    """Joins a map with its maxima over windows of 5, 9 and 13 cells."""

    def __init__(self, channels: int, conv: MakeConv) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels // 2, 1)
        self.pool = nn.MaxPool2d(POOL_SIZE, stride=1, padding=POOL_SIZE // 2)
        self.conv2 = conv(channels // 2 * 4, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        maps = [self.conv1(features)]
        for _ in range(3):  # two windows of 5 are one of 9, three are one of 13
            maps.append(self.pool(maps[-1]))
        result: Tensor = self.conv2(torch.cat(maps, dim=1))
        return result


def conv_maker(norm: type[nn.Module], activation: type[nn.Module]) -> MakeConv:
    """Makes `ConvModule`s with one kind of norm and activation."""
    return partial(ConvModule, norm=norm, activation=activation)
