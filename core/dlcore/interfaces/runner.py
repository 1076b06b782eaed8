"""Runners: what a training step and an evaluation are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from dlcore.interfaces.types import Batch, Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Runner(ABC):
    """Knows what to do with a batch; the trainer around it knows when.

    A subclass takes three positional parameters: `model` (`torch.nn.Module`), `task` (`PoseTask`)
    and `autocast`, a function that gives the context in which the model's forward pass runs.

    Attributes:
        model: What is trained.
    """

    model: nn.Module

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scalar losses of one batch by name; `total_loss` is what is minimised.

        Args:
            batch: On the device of the model, images normalised.
        """
        raise NotImplementedError

    @abstractmethod
    def evaluate(self, batches: Iterable[Batch], records: Sequence[Record]) -> dict[str, float]:
        """Losses and metrics over batches.

        Args:
            batches: As for `losses`, each record once.
            records: What `Batch.indices` point to.

        Returns:
            Mean losses as `losses/eval.<name>` and metrics as `metrics/test.<name>`.
        """
        raise NotImplementedError

    def pictures(
        self, batch: Batch, image: npt.NDArray[np.uint8]
    ) -> dict[str, npt.NDArray[np.uint8]]:
        """What the model makes of one image, for people to see; nothing unless overridden.

        Called without gradients, the model in evaluation mode, and only if somebody wants pictures.

        Args:
            batch: As for `losses`, of one image.
            image: (H, W, 3) that image before it was normalised.

        Returns:
            (H, W, 3) RGB, by name.
        """
        return {}
