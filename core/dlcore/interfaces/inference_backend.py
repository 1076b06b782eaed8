"""Inference backends: exported networks at work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor


class InferenceBackend(ABC):
    """Runs an exported network.

    A subclass takes `path` (`pathlib.Path`, the file) and `device` (`torch.device`) by position
    and options as keyword-only ones. On the CPU it uses as many threads as torch does. It raises
    `ExportError` where the file cannot be read or the device cannot be used.

    Attributes:
        format: The exporter that writes its files, as in `dlcore export --format`.
        suffix: Of these files, with the dot: ".onnx".
        packages: Distributions whose versions are told beside files that were checked with it.
        metadata: The text that the exporter put into the file; empty if there is none.
        shapes: Of each input by name, None for an axis that may have any length.
    """

    format: ClassVar[str]
    suffix: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    metadata: str
    shapes: Mapping[str, tuple[int | None, ...]]

    @abstractmethod
    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the network gives.

        Args:
            inputs: By name, on the CPU.

        Returns:
            All outputs by name, on the CPU, in memory that later calls leave alone.
        """
        raise NotImplementedError
