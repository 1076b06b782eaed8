"""Adaptive convolutions: the taps of the kernel move to where the features say.

Legend: B images, K keypoints, C channels per keypoint, h w cells, 9 taps of a 3x3 kernel in
row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.ops import DeformConv2d, deform_conv2d

_SIDE = (-1.0, 0.0, 1.0)
_TAPS = [[y for y in _SIDE for _ in _SIDE], [x for _ in _SIDE for x in _SIDE]]


class AdaptBlock(nn.Module):
    """The weights of one residual block of one keypoint; `adapt` puts features through it.

    Names and order of the weights are those of DeepLabCut's snapshots.

    Args:
        channels: Of the features and of the result.
        dilation: Cells between the taps before they move.
    """

    regular_matrix: Tensor

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.register_buffer("regular_matrix", torch.tensor(_TAPS))
        self.transform_matrix_conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.translation_conv = nn.Conv2d(channels, 2, 3, padding=1)
        self.adapt_conv = DeformConv2d(
            channels, channels, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.bn = nn.BatchNorm2d(channels)


def adapt(features: Tensor, blocks: Sequence[AdaptBlock]) -> Tensor:
    """Put the features of each keypoint through its own block, all keypoints at once.

    Each cell moves the nine taps of its kernel by an affine map of its own, then convolves. One
    call for all keypoints instead of one for each keeps a GPU from waiting for the host.

    Args:
        features: (B, K C, h, w), the channels of the first keypoint first.
        blocks: One for each keypoint.

    Returns:
        (B, K C, h, w).
    """
    shifts = _shifts(features, blocks)
    weight = torch.cat([block.adapt_conv.weight for block in blocks])
    result = deformable_convolution(features, shifts, weight, blocks[0].dilation)
    parts = result.split(features.shape[1] // len(blocks), dim=1)
    normed = [block.bn(part) for block, part in zip(blocks, parts, strict=True)]
    return F.relu(torch.cat(normed, dim=1) + features)


def grouped(features: Tensor, layers: Sequence[nn.Conv2d]) -> Tensor:
    """Put an equal share of the channels through each convolution, as one grouped convolution."""
    biases = [layer.bias for layer in layers if layer.bias is not None]
    return F.conv2d(
        features,
        torch.cat([layer.weight for layer in layers]),
        torch.cat(biases) if biases else None,
        padding=layers[0].padding,
        groups=len(layers),
    )


def _shifts(features: Tensor, blocks: Sequence[AdaptBlock]) -> Tensor:
    """How far each tap moves, (B, K, 2, 9, h, w) in cells, y before x.

    Always float32: with fewer digits a tap would miss its place.
    """
    images, _, rows, columns = features.shape
    shape = (images, len(blocks), 2, -1, 1, rows, columns)
    matrices = grouped(features, [block.transform_matrix_conv for block in blocks])
    moves = grouped(features, [block.translation_conv for block in blocks])
    matrices, moves = matrices.float().view(shape), moves.float().view(shape)
    taps = torch.stack([block.regular_matrix for block in blocks])[..., None, None]
    y, x = taps[:, None, 0], taps[:, None, 1]
    return matrices[:, :, :, 0] * y + matrices[:, :, :, 1] * x + moves[:, :, :, 0] - taps


def deformable_convolution(
    features: Tensor, shifts: Tensor, weight: Tensor, dilation: int
) -> Tensor:
    """Convolve with 3x3 kernels whose taps are moved, separately in each of K groups.

    What lies outside the map is 0, and between cells it is interpolated. There are two ways to
    the same result: `by_operator` on CUDA, `by_sampling` elsewhere.

    Args:
        features: (B, K C, h, w).
        shifts: (B, K, 2, 9, h, w) in cells, y before x: from where a tap would be to where it is.
        weight: (K C', C, 3, 3).
        dilation: Cells between the taps before they move.

    Returns:
        (B, K C', h, w).
    """
    convolve = by_operator if features.is_cuda else by_sampling
    return convolve(features, shifts, weight, dilation)


def by_operator(features: Tensor, shifts: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """`deformable_convolution` with torchvision's operator."""
    offsets = shifts.transpose(2, 3).flatten(1, 3)
    result: Tensor = deform_conv2d(
        features.float(), offsets, weight.float(), padding=dilation, dilation=dilation
    )
    return result.to(features.dtype)


def by_sampling(features: Tensor, shifts: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """`deformable_convolution` with `grid_sample`.

    On a CPU this is several times faster than torchvision's operator, above all backwards.
    """
    # The samples, nine for each number in the features, are made anew for the backward pass.
    parts = [
        checkpoint(
            _convolve_samples, *part, dilation, use_reentrant=False, preserve_rng_state=False
        )
        for part in zip(
            features.chunk(shifts.shape[1], dim=1),
            shifts.unbind(1),
            weight.chunk(shifts.shape[1]),
            strict=True,
        )
    ]
    return torch.cat(parts, dim=1)


def _convolve_samples(features: Tensor, shifts: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """One group: features (B, C, h, w), shifts (B, 2, 9, h, w), weight (C', C, 3, 3)."""
    rows, columns = features.shape[2:]
    taps = dilation * torch.tensor(_TAPS, device=shifts.device)[..., None, None]
    y = torch.arange(rows, device=shifts.device).unsqueeze(1) + 0.5
    x = torch.arange(columns, device=shifts.device) + 0.5
    y = (shifts[:, 0] + taps[0] + y) * (2 / rows) - 1  # grid_sample counts from -1 to 1
    x = (shifts[:, 1] + taps[1] + x) * (2 / columns) - 1
    places = torch.stack((x, y), dim=4).flatten(1, 2)  # (B, 9 h, w, 2)
    samples = F.grid_sample(features.float().contiguous(), places, align_corners=False)
    samples = samples.unflatten(2, (9, rows)).flatten(3).flatten(1, 2)  # (B, 9 C, h w)
    return torch.matmul(weight.flatten(1), samples).view(-1, len(weight), rows, columns)
