"""Target generators: what the outputs of a head should have been."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dlcore.interfaces.types import Labels, Outputs, Target


class TargetGenerator(ABC):
    """Makes targets and weights for the outputs of a head.

    A subclass takes `task` (`PoseTask`) as its only positional parameter and what YAML may set as
    keyword-only ones. It works on the device of the labels, has no Python loop over pixels and
    copies nothing to the CPU: it runs in every training step.

    Attributes:
        output_names: The outputs it makes targets for; the head must give all of them.
    """

    output_names: tuple[str, ...]

    @abstractmethod
    def __call__(self, stride: float, outputs: Outputs, labels: Labels) -> dict[str, Target]:
        """Targets for each of `output_names`.

        Args:
            stride: Input pixels per output cell.
            outputs: What the head gave; only shapes and device matter.
            labels: The truth in pixels of the network's input.
        """
        raise NotImplementedError
