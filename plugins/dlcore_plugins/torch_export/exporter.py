"""Write programs of torch.export."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

from dlcore import ExportError
from dlcore.interfaces import Exporter, ExportInput
from dlcore_plugins.torch_export import keys


class TorchExporter(Exporter):
    """Writes one .pt2 file by `torch.export.export`.

    The description of the network is the extra file `dlcore.json` in it.
    """

    suffix = ".pt2"
    backend = "torch_export"
    packages = ("torch",)

    def export(
        self,
        network: nn.Module,
        inputs: Sequence[ExportInput],
        outputs: Sequence[str],
        path: Path,
        metadata: str,
    ) -> None:
        """Write one file; see `Exporter.export`."""
        shapes = tuple(dict.fromkeys(one.dynamic, Dim.AUTO) or None for one in inputs)
        extra = {keys.METADATA: metadata, keys.OUTPUTS: "\n".join(outputs)}
        try:
            # torch prints whole graphs where it fails, and warns itself
            with torch.no_grad(), redirect_stderr(StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = torch.export.export(
                    network, tuple(one.example for one in inputs), dynamic_shapes=shapes
                )
                torch.export.save(program, path, extra_files=extra)
        except Exception as error:
            lines = str(error).strip().splitlines() or ["no message"]
            raise ExportError(
                f"the network cannot be written by torch.export: {type(error).__name__}: {lines[0]}"
            ) from error
