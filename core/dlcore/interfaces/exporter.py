"""Exporters: networks to files that other programs run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class ExportInput:
    """An input of a network that is exported.

    Attributes:
        name: The name of the parameter of the network's `forward`, and of the input in the file.
        example: What it looks like, on the CPU; no axis that varies is 1 long.
        dynamic: The axes that vary, and a name for each: `{0: "batch", 2: "height"}`. Inputs vary
            together where names are the same.
    """

    name: str
    example: Tensor
    dynamic: Mapping[int, str] = field(default_factory=dict)


class Exporter(ABC):
    """Writes a network to a file.

    A subclass takes options as keyword-only parameters.

    Attributes:
        suffix: Of its files, with the dot: ".onnx".
        backend: The inference backend that runs its files, with which they are checked.
        packages: Distributions whose versions are told beside the file.
    """

    suffix: ClassVar[str]
    backend: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def export(
        self,
        network: nn.Module,
        inputs: Sequence[ExportInput],
        outputs: Sequence[str],
        path: Path,
        metadata: str,
    ) -> None:
        """Write one file.

        Args:
            network: On the CPU, evaluating. `forward` takes tensors and returns a tuple of them.
            inputs: The parameters of `forward`, in their order.
            outputs: Names of what it returns, in their order.
            path: Where the file goes.
            metadata: Text that is kept in the file; the backend finds it there.

        Raises:
            ExportError: If the network has parts that cannot be written to such a file.
        """
        raise NotImplementedError
