"""Batch and group norm of channels-last images on a CPU, in ways that torch computes fast.

Torch's own kernels walk along the channels of a pixel, group by group, in vector registers that
hold 16 to 32 numbers. Few channels, or few in a group, leave them almost empty: group norm of
(8, 64, 224, 224) in bf16 takes 200 ms backward, batch norm of 18 channels ten times as long as of
32. What is done here is the same arithmetic through kernels that have no such weakness. Between
them, they are a quarter of a training step of ResNet-50 with group norm or of HRNet-W18.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

_aten = torch.ops.aten

VECTOR = 32
"""Numbers that a vector register holds at most."""

FEW_BYTES = 32
"""A group whose channels take fewer bytes is slow in torch's kernel."""

MANY_CHANNELS = 64
"""From here on a half-empty register at the end does not matter."""


class FastNorms(TorchFunctionMode):
    """While it is entered, norms are computed here where that is faster, whoever calls them."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch for each of its functions."""
        return _REPLACED.get(func, func)(*args, **(kwargs or {}))


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.group_norm`."""
    few = input.dim() == 4 and input.shape[1] // num_groups * input.element_size() < FEW_BYTES
    if few and torch.is_grad_enabled() and _fits(input, weight, bias):
        normed: Tensor = _GroupNorm.apply(input, num_groups, weight, bias, eps)
        return normed
    return F.group_norm(input, num_groups, weight, bias, eps)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`."""
    if (
        torch.is_grad_enabled()
        and running_mean is not None
        and running_var is not None
        and _pixels(input) > 1
        and _fits(input, weight, bias)
    ):
        normed: Tensor
        if training:
            normed = _BatchNorm.apply(input, running_mean, running_var, weight, bias, momentum, eps)
        else:
            normed = _GivenBatchNorm.apply(input, running_mean, running_var, weight, bias, eps)
        return normed
    return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


_REPLACED: dict[Any, Callable[..., Any]] = {F.group_norm: group_norm, F.batch_norm: batch_norm}


def _fits(images: Tensor, weight: Tensor | None, bias: Tensor | None) -> bool:
    return (
        images.device.type == "cpu"
        and images.dtype in (torch.float32, torch.bfloat16)
        and weight is not None
        and bias is not None
        and weight.dtype == bias.dtype == torch.float32
        and images.is_contiguous(memory_format=torch.channels_last)
        and not images.is_contiguous()  # then it is both, and tiny
    )


def _pixels(images: Tensor) -> int:
    """How many pixels side by side fill registers; 1 if they are better left alone."""
    if images.dim() != 4 or images.shape[1] >= MANY_CHANNELS:
        return 1
    pixels = VECTOR // math.gcd(images.shape[1], VECTOR)
    return pixels if images[:, 0].numel() % pixels == 0 else 1


def _side_by_side(images: Tensor, pixels: int) -> Tensor:
    """(B, C, H, W) as (1, pixels * C, B * H * W / pixels, 1), without a copy."""
    rows = images.permute(0, 2, 3, 1).reshape(1, -1, 1, pixels * images.shape[1])
    return rows.permute(0, 3, 1, 2)


def _apart(rows: Tensor, shape: torch.Size) -> Tensor:
    """Back to (B, C, H, W)."""
    batch, channels, height, width = shape
    return rows.permute(0, 2, 3, 1).reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def _scaled(images: Tensor, factor: Tensor, constant: Tensor) -> Tensor:
    """Each channel times a factor plus a constant, in float32 inside."""
    zeros, ones = torch.zeros_like(factor), torch.ones_like(factor)
    return F.batch_norm(images, zeros, ones, factor, constant, eps=0.0)


def _sums(
    grad: Tensor, images: Tensor, mean: Tensor, scale: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """For each channel the sums of `grad * (images - mean) * scale` and of `grad`."""
    _, along, plain = _aten.native_batch_norm_backward(
        grad, images, weight, None, None, mean, scale, True, 0.0, [False, True, True]
    )
    return along, plain


class _GivenBatchNorm(torch.autograd.Function):
    """Batch norm with given statistics; backward with some pixels side by side."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        mean: Tensor,
        variance: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(images, mean, variance, weight)
        ctx.eps = eps
        return F.batch_norm(images, mean, variance, weight, bias, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, mean, variance, weight = ctx.saved_tensors
        pixels = _pixels(images)
        mean, variance, weight = (t.repeat(pixels) for t in (mean, variance, weight))
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_images, grad_weight, grad_bias = _aten.native_batch_norm_backward(
            _side_by_side(grad, pixels), _side_by_side(images, pixels), weight,
            mean, variance, None, None, False, ctx.eps, [True, True, True],
        )  # fmt: skip
        sums = (t.view(pixels, -1).sum(0) for t in (grad_weight, grad_bias))
        return _apart(grad_images, images.shape), None, None, *sums, None


class _BatchNorm(torch.autograd.Function):
    """Batch norm with the statistics of the batch, some pixels side by side."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        weight: Tensor,
        bias: Tensor,
        momentum: float,
        eps: float,
    ) -> Tensor:
        pixels = _pixels(images)
        unused = torch.zeros(pixels * images.shape[1])  # float32, and so are the results
        rows = _side_by_side(images, pixels)
        means, variances = _aten.batch_norm_update_stats(rows, unused, unused, 0.0)
        means, variances = means.view(pixels, -1), variances.view(pixels, -1)
        mean, variance = means.mean(0), variances.mean(0) + means.var(0, unbiased=False)
        count = images[:, 0].numel()
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(variance * (count / (count - 1)), momentum)
        ctx.save_for_backward(images, weight, mean, (variance + eps).rsqrt())
        return F.batch_norm(images, mean, variance, weight, bias, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, scale = ctx.saved_tensors
        pixels, count = _pixels(images), images[:, 0].numel()
        rows = _side_by_side(grad.contiguous(memory_format=torch.channels_last), pixels)
        image_rows = _side_by_side(images, pixels)
        sums = _sums(rows, image_rows, *(t.repeat(pixels) for t in (mean, scale, weight)))
        along, plain = (t.view(pixels, -1).sum(0) for t in sums)
        of_grad = weight * scale
        of_input = -of_grad * scale * along / count
        constant = -of_grad * plain / count - mean * of_input
        grad_rows = _scaled(rows, of_grad.repeat(pixels), torch.zeros_like(sums[0]))
        grad_rows += _scaled(image_rows, of_input.repeat(pixels), constant.repeat(pixels))
        return _apart(grad_rows, images.shape), None, None, along, plain, None, None


class _GroupNorm(torch.autograd.Function):
    """Torch's group norm with another backward pass: image by image with kernels of batch norm.

    For each image, group norm is batch norm whose statistics come from groups of channels. The
    gradient of the input is `A * grad + B * input + C` with numbers A for each channel, B and C for
    each group, which are made of sums that the backward pass of batch norm gives (Wu and He, Group
    Normalization, 2018).
    """

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, num_groups: int, weight: Tensor, bias: Tensor, eps: float
    ) -> Tensor:
        batch, channels, height, width = images.shape
        normed: Tensor
        normed, mean, scale = _aten.native_group_norm(
            images, weight, bias, batch, channels, height * width, num_groups, eps
        )
        ctx.save_for_backward(images, weight, mean, scale)
        return normed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, scale = ctx.saved_tensors
        batch, channels, height, width = images.shape
        in_group = channels // mean.shape[1]
        mean, scale = (t.float().repeat_interleave(in_group, 1) for t in (mean, scale))
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad_images = torch.empty_like(images)
        nothing = torch.zeros(channels)
        grad_weight, grad_bias = nothing.clone(), nothing.clone()

        def of_groups(numbers: Tensor) -> Tensor:
            """A number for each channel, as the mean over all that its group holds."""
            sums = (numbers * weight).view(-1, in_group).sum(1)
            means: Tensor = sums / (in_group * height * width)
            return means.repeat_interleave(in_group)

        for i in range(batch):
            one, by = images[i : i + 1], grad[i : i + 1]
            along, plain = _sums(by, one, mean[i], scale[i], weight)
            grad_weight += along
            grad_bias += plain
            of_input = -scale[i].square() * of_groups(along)
            constant = -scale[i] * of_groups(plain) - mean[i] * of_input
            first = _scaled(by, scale[i] * weight, nothing)
            torch.add(first, _scaled(one, of_input, constant), out=grad_images[i : i + 1])
        return grad_images, None, grad_weight, grad_bias, None
