"""Write ONNX files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import onnxscript  # noqa: F401  what torch needs; asked for here, so that its absence is explained
import torch
from pydantic import PositiveInt
from torch import nn

from dlcore import ExportError
from dlcore.interfaces import Exporter, ExportInput
from dlcore_plugins.onnx_export import keys


class OnnxExporter(Exporter):
    """Writes one .onnx file with its weights inside, by `torch.onnx.export`.

    The description of the network is the entry `dlcore` of the file's metadata.

    Args:
        opset: The version of ONNX's operators; null for the one that torch prefers.
    """

    suffix = ".onnx"
    backend = "onnxruntime"
    packages = ("torch", "onnx", "onnxscript")

    def __init__(self, *, opset: PositiveInt | None = None) -> None:
        self.opset = opset

    def export(
        self,
        network: nn.Module,
        inputs: Sequence[ExportInput],
        outputs: Sequence[str],
        path: Path,
        metadata: str,
    ) -> None:
        """Write one file; see `Exporter.export`."""
        try:
            # torch prints whole graphs where it fails, and warns itself
            with torch.no_grad(), redirect_stderr(StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = torch.onnx.export(
                    network,
                    tuple(one.example for one in inputs),
                    dynamo=True,
                    verbose=False,
                    opset_version=self.opset,
                    input_names=[one.name for one in inputs],
                    output_names=list(outputs),
                    dynamic_shapes=tuple(dict(one.dynamic) or None for one in inputs),
                )
        except Exception as error:
            raise ExportError(f"the network cannot be written as ONNX: {_root(error)}") from error
        assert program is not None
        program.model.metadata_props[keys.METADATA] = metadata
        program.save(path, external_data=False)


def _root(error: BaseException) -> str:
    """What went wrong first, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
