"""Net types: ready-made architectures for `dlcore init`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from dlcore.interfaces.types import PoseTask


class NetType(ABC):
    """Writes the parts of a config that belong to an architecture. Takes no parameters.

    Attributes:
        approach: How individuals are told apart: "bottom-up", "top-down", ...
        stride: Input pixels per output cell of the bodypart head.
        parameters: Trainable weights, in millions.
        gflops: Billions of multiply-adds for one 256x256 image.
    """

    approach: ClassVar[str] = "bottom-up"
    stride: ClassVar[float]
    parameters: ClassVar[float]
    gflops: ClassVar[float]

    @abstractmethod
    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config's `net_type`, `method`, `model`, and what else differs from the defaults.

        Placeholders such as "num_bodyparts x 2" are allowed.

        Raises:
            DlcoreError: If the architecture cannot do the task.
        """
        raise NotImplementedError
