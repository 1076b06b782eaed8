"""Necks: feature maps to feature maps."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from dlcore.interfaces.types import Features


class Neck(nn.Module):
    """Stands between the backbone and the heads.

    A subclass takes the backbone's `features` as its only positional parameter, what YAML may set
    as keyword-only ones, and sets its own `features`.

    Attributes:
        features: Channels and stride of what `forward` gives.
    """

    features: Features

    @abstractmethod
    def forward(self, features: Tensor | tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
        """What the backbone gives to what the heads receive."""
        raise NotImplementedError
