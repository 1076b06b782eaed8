"""Loggers: where a run writes its numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class Logger(ABC):
    """Receives what a run has to tell.

    A subclass takes `run` (`RunInfo`) as its only positional parameter and what YAML may set as
    keyword-only ones. A logger that raises is warned about once and dropped: it never stops
    training.
    """

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

    def close(self) -> None:  # noqa: B027  optional
        """The run has ended, well or badly; write out what is left."""
