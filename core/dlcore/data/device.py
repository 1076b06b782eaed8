"""The last step of a batch: onto the device, as normalised floats."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        factor = torch.tensor([1 / std for std in self.std], dtype=torch.float32)
        offset = torch.tensor(
            [-mean / std for mean, std in zip(self.mean, self.std, strict=True)],
            dtype=torch.float32,
        )
        factor = factor.to(images.device, non_blocking=True).view(1, 3, 1, 1)
        offset = offset.to(images.device, non_blocking=True).view(1, 3, 1, 1)
        floats = images.to(torch.float32, copy=True)
        return floats.mul_(factor).add_(offset)


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
