"""From the keypoints of a rough pose to maps that a network can read, on any device.

Legend: B crops, K keypoints, C channels, h w pixels.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from dlcore_plugins.conditional.options import (
    ColoredKeypointEncoderOptions,
    KeypointEncoderOptions,
    StackedKeypointEncoderOptions,
)

PEAK = 255.0
RAINBOW_STEPS = 256


class KeypointEncoder(nn.Module):
    """Draws keypoints as Gaussian blots whose brightest point is 255.

    It draws what DeepLabCut draws, so that its snapshots give the same: a blot is centred on the
    pixel up and left of the one that the keypoint lies in, and 0 wraps around to the last pixel.
    Keypoints whose score is not above 0, that lie outside the image or that are NaN, are left out.

    Attributes:
        channels: C, the number of maps.

    Args:
        num_joints: K.
        kernel_size: (width, height) of the blots in pixels; their widths follow from it.
    """

    channels: int
    _kernel_x: Tensor
    _kernel_y: Tensor

    def __init__(self, num_joints: int, kernel_size: Sequence[int]) -> None:
        super().__init__()
        self.num_joints = num_joints
        for axis, length in zip("xy", kernel_size, strict=True):
            kernel = cv2.getGaussianKernel(length, 0).ravel().astype(np.float32)
            # not part of snapshots, in which DeepLabCut's encoders have no place
            self.register_buffer(f"_kernel_{axis}", torch.from_numpy(kernel), persistent=False)

    @torch.no_grad()
    def forward(self, conditions: Tensor, size: tuple[int, int]) -> Tensor:
        """Draw poses.

        Args:
            conditions: (B, K, 3) x, y, score or visibility, in pixels.
            size: (h, w) of the maps.

        Returns:
            (B, C, h, w) float32, from 0 to 255.

        Raises:
            ValueError: If the number of keypoints is not the one it was built for.
        """
        if conditions.shape[1] != self.num_joints:
            raise ValueError(
                f"kpt_encoder: num_joints is {self.num_joints}, but the conditions have "
                f"{conditions.shape[1]} keypoints"
            )
        x, y, score = conditions.float().unbind(dim=-1)
        height, width = size
        drawn = (score > 0) & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
        column, row = _pixel(x, width), _pixel(y, height)
        across = _profile(column, width, self._kernel_x)
        down = _profile(row, height, self._kernel_y)
        maps = self._draw(drawn, row * width + column, across, down)
        brightest = maps.amax(dim=(1, 2, 3), keepdim=True)
        return maps * torch.where(brightest > 0, PEAK / brightest, 0.0)

    @abstractmethod
    def _draw(self, drawn: Tensor, pixel: Tensor, across: Tensor, down: Tensor) -> Tensor:
        """Maps (B, C, h, w) of any brightness.

        Args:
            drawn: (B, K) whether there is a blot.
            pixel: (B, K) index of its centre.
            across: (B, K, w) its values along a row.
            down: (B, K, h) its values along a column.
        """
        raise NotImplementedError


class StackedKeypointEncoder(KeypointEncoder):
    """One map per keypoint, with a blot where it is."""

    def __init__(self, num_joints: int, kernel_size: Sequence[int] = (15, 15)) -> None:
        super().__init__(num_joints, kernel_size)
        self.channels = num_joints

    def _draw(self, drawn: Tensor, pixel: Tensor, across: Tensor, down: Tensor) -> Tensor:
        down = down * drawn[:, :, None]
        return down[:, :, :, None] * across[:, :, None, :]


class ColoredKeypointEncoder(KeypointEncoder):
    """One picture in which each keypoint is a blot of its own colour.

    Where two keypoints have the same centre, the later one hides the earlier.

    Args:
        num_joints: K.
        kernel_size: (width, height) of the blots in pixels.
        colors: (red, green, blue) of each keypoint, from 0 to 255; by default those of a rainbow.

    Raises:
        ValueError: If there are not as many colours as keypoints.
    """

    _colors: Tensor

    def __init__(
        self,
        num_joints: int,
        kernel_size: Sequence[int] = (15, 15),
        colors: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__(num_joints, kernel_size)
        self.channels = 3
        chosen = rainbow(num_joints) if colors is None else colors
        if len(chosen) != num_joints:
            raise ValueError(
                f"kpt_encoder: colors must be one for each of the {num_joints} keypoints, "
                f"got {len(chosen)}"
            )
        values = torch.tensor([list(color) for color in chosen], dtype=torch.float32)
        self.register_buffer("_colors", values, persistent=False)

    def _draw(self, drawn: Tensor, pixel: Tensor, across: Tensor, down: Tensor) -> Tensor:
        same = (pixel[:, :, None] == pixel[:, None, :]) & drawn[:, None, :]
        hidden = same.triu(diagonal=1).any(dim=2)
        colors = self._colors * (drawn & ~hidden)[:, :, None]
        return torch.einsum("bkc,bkh,bkw->bchw", colors, down, across)


def build_encoder(options: KeypointEncoderOptions) -> KeypointEncoder:
    """The encoder that a `kpt_encoder` block describes."""
    match options:
        case StackedKeypointEncoderOptions():
            return StackedKeypointEncoder(options.num_joints, options.kernel_size)
        case ColoredKeypointEncoderOptions():
            return ColoredKeypointEncoder(options.num_joints, options.kernel_size, options.colors)


def rainbow(count: int) -> list[tuple[int, int, int]]:
    """Colours (red, green, blue) from 0 to 255, from violet to red."""
    steps = np.linspace(0, 1, count) * RAINBOW_STEPS
    place = np.minimum(np.floor(steps), RAINBOW_STEPS - 1) / (RAINBOW_STEPS - 1)
    channels = [abs(2 * place - 0.5), np.sin(np.pi * place), np.cos(np.pi * place / 2)]
    levels = (np.clip(np.stack(channels, axis=1), 0, 1) * PEAK).astype(int)
    return [(int(red), int(green), int(blue)) for red, green, blue in levels]


def _pixel(place: Tensor, length: int) -> Tensor:
    """Index of the centre's pixel along one axis; any where the place is NaN or outside."""
    inside = place.nan_to_num().clamp(0, length)
    return (inside.long() - 1) % length


def _profile(centre: Tensor, length: int, kernel: Tensor) -> Tensor:
    """A blurred point along one axis, (B, K, length). It is mirrored at the image's border."""
    reach = len(kernel) // 2
    pixels = torch.arange(length, device=centre.device)
    centre = centre[:, :, None]
    last = length - 1

    def blurred(at: Tensor) -> Tensor:
        away = (pixels - at).abs()
        return torch.where(away <= reach, kernel[reach + away.clamp(max=reach)], 0.0)

    values = blurred(centre)
    values = values + torch.where(centre > 0, blurred(-centre), 0.0)
    return values + torch.where(centre < last, blurred(2 * last - centre), 0.0)
