"""Loggers: where a run writes its numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Logger(ABC):
    """Receives what a run has to tell.

    A subclass takes `run` (`RunInfo`) as its only positional parameter and what YAML may set as
    keyword-only ones. A logger that raises is warned about once and dropped: it never stops
    training.

    Attributes:
        image_interval: After every so many epochs it wants pictures; None for never. As long as no
            logger wants any, none are made.
    """

    image_interval: int | None = None

    def log_config(self, config: Mapping[str, Any]) -> None:  # noqa: B027  optional
        """The resolved configuration, as plain types; called once, before the first epoch."""

    @abstractmethod
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Numbers of one epoch, for example {"losses/train.total_loss": 0.1}.

        Args:
            metrics: By name. What was not measured in this epoch is absent.
            step: The epoch, from 1.
        """
        raise NotImplementedError

    def log_images(  # noqa: B027  optional
        self, images: Mapping[str, npt.NDArray[np.uint8]], step: int
    ) -> None:
        """Pictures of one epoch, after its numbers; called as often as `image_interval` says.

        Args:
            images: (H, W, 3), RGB, by name, for example "images/test.bodypart_heatmap". The same
                images of the dataset throughout a run.
            step: The epoch, from 1.
        """

    def close(self) -> None:  # noqa: B027  optional
        """The run has ended, well or badly; write out what is left."""
