"""Net types: ready-made architectures for `dlcore init`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from dlcore.interfaces.types import PoseTask


class NetType(ABC):
    """Writes the parts of a config that belong to an architecture. Takes no parameters.

    What it says of itself is listed without importing it, so the attributes are plain values in
    the body of the class, its own or inherited.

    The figures are those of the pose model for six keypoints of one individual per image (two
    where it does not take one), without the detector that a top-down model needs. They are for
    images of 256x256 pixels, or of the only size that the model takes.

    Attributes:
        approach: "bu" for bottom-up, "td" for top-down, "ctd" for conditional top-down: the
            `method` of the config.
        stride: Input pixels per output cell of the bodypart head.
        parameters: Weights that are trained, in millions.
        gflops: Billions of multiply-adds for one image.
    """

    approach: ClassVar[str] = "bu"
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
