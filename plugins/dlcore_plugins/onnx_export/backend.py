"""Run ONNX files with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor

from dlcore import ExportError
from dlcore.interfaces import InferenceBackend
from dlcore_plugins.onnx_export import keys

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_ERRORS_ONLY = 3


class OnnxRuntimeBackend(InferenceBackend):
    """Runs .onnx files with ONNX Runtime.

    Args:
        path: The file.
        device: The CPU or a GPU of NVIDIA; the latter needs the package `onnxruntime-gpu`.

    Raises:
        ExportError: If the file cannot be read, or the device cannot be used.
    """

    format = "onnx"
    suffix = ".onnx"
    packages = ("onnxruntime",)

    def __init__(self, path: Path, device: torch.device) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=_providers(device)
            )
        except ExportError:
            raise
        except Exception as error:  # its exceptions have no common base
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ExportError(f"ONNX Runtime cannot read {str(path)!r}: {reason}") from error
        self.metadata: str = self._session.get_modelmeta().custom_metadata_map.get(
            keys.METADATA, ""
        )
        self.shapes: Mapping[str, tuple[int | None, ...]] = {
            one.name: tuple(axis if isinstance(axis, int) else None for axis in one.shape)
            for one in self._session.get_inputs()
        }
        self._outputs = [one.name for one in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What the network gives; see `InferenceBackend.run`."""
        arrays = {name: tensor.contiguous().numpy() for name, tensor in inputs.items()}
        found = self._session.run(None, arrays)
        return {n: torch.from_numpy(a) for n, a in zip(self._outputs, found, strict=True)}


def _providers(device: torch.device) -> list[str | tuple[str, dict[str, int]]]:
    if device.type == "cpu":
        return [_CPU]
    if device.type == "cuda" and _CUDA in onnxruntime.get_available_providers():
        return [(_CUDA, {"device_id": device.index or 0}), _CPU]
    remedy = "pip install onnxruntime-gpu, or use" if device.type == "cuda" else "use"
    raise ExportError(
        f"ONNX Runtime as it is installed cannot use the device '{device}'; {remedy} --device cpu"
    )
