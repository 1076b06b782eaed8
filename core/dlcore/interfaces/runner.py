"""Runners: what a training step and an evaluation are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from dlcore.interfaces.types import Batch, Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


Gather = Callable[[Any], list[Any]]
"""Gives what every process has to each of them, in an order that all share; all must call it."""


def alone(value: Any) -> list[Any]:
    """Gather what the only process has."""
    return [value]


class Runner(ABC):
    """Knows what to do with a batch; the trainer around it knows when.

    A subclass takes three positional parameters: `model` (`torch.nn.Module`), `task` (`PoseTask`)
    and `autocast`, a function that gives the context in which the model's forward pass runs.

    Attributes:
        model: What is trained.
        forward: What `losses` calls instead of `model`: the model itself at first. The engine puts
            the compiled model there, or one whose gradients are joined with those of other
            processes.
        some_weights_idle: Whether a batch may leave some weights without a gradient, as detectors
            do with images of nothing.
    """

    model: nn.Module
    forward: Callable[..., Any]
    some_weights_idle: bool = False

    @abstractmethod
    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Scalar losses of one batch by name; `total_loss` is what is minimised.

        Args:
            batch: On the device of the model, images normalised.
        """
        raise NotImplementedError

    @abstractmethod
    def evaluate(
        self, batches: Iterable[Batch], records: Sequence[Record], gather: Gather = alone
    ) -> dict[str, float]:
        """Losses and metrics over batches.

        Args:
            batches: As for `losses`, each record once; of several processes each has some.
            records: What `Batch.indices` point to.
            gather: Brings together what the processes of a run have found.

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
