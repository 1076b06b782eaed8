"""The last step of a batch: onto the device, as normalised floats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from dlcore.interfaces.types import Batch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Normalization:
    """What is done to pixel values: `(value - mean) / std`, per channel.

    Attributes:
        mean: Per channel, in units of 0..255.
        std: Per channel, in units of 0..255.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_config(cls, normalize_images: bool, scale_to_unit_range: bool) -> Normalization:
        """The normalisation of `data.train` or `data.inference`.

        With both on, the normalised values are divided by 255 once more, as in DeepLabCut.
        """
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if normalize_images:
            mean = tuple(255 * value for value in IMAGENET_MEAN)  # type: ignore[assignment]
            std = tuple(255 * value for value in IMAGENET_STD)  # type: ignore[assignment]
        if scale_to_unit_range:
            std = tuple(255 * value for value in std)  # type: ignore[assignment]
        return cls(mean, std)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, H, W) of any type as normalised float32, in the same memory layout."""
        factor, offset = _constants(self.mean, self.std, images.device)
        floats = images.to(torch.float32, copy=True)
        pixels = floats.permute(0, 2, 3, 1)
        if pixels.is_contiguous():  # whole rows fill vector registers, three numbers do not
            width = images.shape[3]
            pixels.view(-1, 3 * width).mul_(factor.repeat(width)).add_(offset.repeat(width))
            return floats
        return floats.mul_(factor.view(-1, 1, 1)).add_(offset.view(-1, 1, 1))


@lru_cache(maxsize=8)
def _constants(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and offset, (3,) each. Kept: copying them anew for each batch would wait."""
    factor = [1 / deviation for deviation in std]
    offset = [-value / deviation for value, deviation in zip(mean, std, strict=True)]
    constants = torch.tensor([factor, offset], dtype=torch.float32, device=device)
    return constants[0], constants[1]


def to_device(
    batch: Batch,
    device: torch.device | str,
    normalization: Normalization,
    memory_format: torch.memory_format = torch.channels_last,
) -> Batch:
    """The batch with its images and labels on `device`, images as normalised float32.

    Images travel as bytes and become floats on the device. `to_network` and `indices` stay on the
    CPU, where they are used.
    """
    images = batch.images.to(device, non_blocking=True)
    images = normalization(images).contiguous(memory_format=memory_format)
    conditions = batch.conditions
    if conditions is not None:
        conditions = conditions.to(device, non_blocking=True)
    labels = batch.labels.to(device, non_blocking=True)
    return replace(batch, images=images, labels=labels, conditions=conditions)


def ahead_on_device(
    batches: Iterable[Batch],
    device: torch.device | str,
    normalization: Normalization,
    memory_format: torch.memory_format,
) -> Iterator[Batch]:
    """The batches as `to_device` gives them, the next one under way while one is used."""
    waiting: Batch | None = None
    for batch in batches:
        coming = to_device(batch, device, normalization, memory_format)
        if waiting is not None:
            yield waiting
        waiting = coming
    if waiting is not None:
        yield waiting
