"""Weight initializers: the first weights of a head."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn


class WeightInitializer(ABC):
    """Sets the weights of a freshly built head. YAML sets its keyword-only parameters."""

    @abstractmethod
    def __call__(self, module: nn.Module) -> None:
        """Set the parameters of `module` in place."""
        raise NotImplementedError
