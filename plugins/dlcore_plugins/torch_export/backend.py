"""Run programs of torch.export."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export.passes import move_to_device_pass

from dlcore import ExportError
from dlcore.interfaces import InferenceBackend
from dlcore_plugins.torch_export import keys


class TorchExportBackend(InferenceBackend):
    """Runs .pt2 files with torch.

    Args:
        path: The file.
        device: Where to compute.

    Raises:
        ExportError: If the file cannot be read.
    """

    format = "torch_export"
    suffix = ".pt2"
    packages = ("torch",)

    def __init__(self, path: Path, device: torch.device) -> None:
        extra: dict[str, Any] = {keys.METADATA: "", keys.OUTPUTS: ""}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of torch to itself
                program = torch.export.load(path, extra_files=extra)
                if device.type != "cpu":
                    program = move_to_device_pass(program, device)
                self._network = program.module()
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ExportError(f"torch cannot read {str(path)!r}: {lines[0]}") from error
        self._device = device
        self._outputs = _text(extra[keys.OUTPUTS]).splitlines()
        self.metadata = _text(extra[keys.METADATA])
        names = program.graph_signature.user_inputs
        self.shapes: Mapping[str, tuple[int | None, ...]] = {
            node.name: tuple(n if isinstance(n, int) else None for n in node.meta["val"].shape)
            for node in program.graph.nodes
            if node.name in names
        }

    @torch.inference_mode()
    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the network gives; see `InferenceBackend.run`."""
        found = self._network(*(inputs[name].to(self._device) for name in self.shapes))
        return {n: t.cpu() for n, t in zip(self._outputs, found, strict=True)}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
