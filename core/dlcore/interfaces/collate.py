"""Collates: samples of different sizes to one batch of one size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from dlcore.interfaces.types import Sample


class Collate(ABC):
    """Brings the samples of a batch to one size. YAML sets its keyword-only parameters."""

    @abstractmethod
    def __call__(self, samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
        """The samples with images of one common size.

        Args:
            samples: The batch, after the transforms.
            rng: The only source of randomness, seeded from the run's seed, the epoch and the batch.
        """
        raise NotImplementedError
