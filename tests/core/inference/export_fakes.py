"""An exporter that keeps networks in this process, and the backend that runs them: no waiting.

The file is also a plugin.
"""

from __future__ import annotations

import json

import torch

from dlcore import Component, ExportError, hookimpl
from dlcore.interfaces import Exporter, InferenceBackend

NETWORKS = []


@hookimpl
def register_exporters():
    return [Component("memory", f"{MODULE}:MemoryExporter", "Keeps the network.")]


@hookimpl
def register_inference_backends():
    return [Component("memory", f"{MODULE}:MemoryBackend", "Runs what was kept.")]


MODULE = "tests.core.inference.export_fakes"


class MemoryExporter(Exporter):
    """Keeps the network.

    Args:
        shift: Added to all outputs.
        only_maps: Whether decoded poses are refused.
        fixed: Axis of the images whose length is said to be fixed; -1 for none.
    """

    suffix = ".memory"
    backend = "memory"

    def __init__(self, *, shift: float = 0.0, only_maps: bool = False, fixed: int = -1):
        self.shift, self.only_maps, self.fixed = shift, only_maps, fixed

    def export(self, network, inputs, outputs, path, metadata):
        if self.only_maps and any(name.endswith(".poses") for name in outputs):
            raise ExportError("poses are too hard")
        NETWORKS.append((network, list(outputs), self.shift))
        shapes = {
            one.name: [
                None if axis in one.dynamic and axis != self.fixed else length
                for axis, length in enumerate(one.example.shape)
            ]
            for one in inputs
        }
        content = {"metadata": metadata, "number": len(NETWORKS) - 1, "shapes": shapes}
        path.write_text(json.dumps(content))


class MemoryBackend(InferenceBackend):
    """Runs what was kept.

    Args:
        path: The file.
        device: Not needed.
    """

    format = "memory"
    suffix = ".memory"

    def __init__(self, path, device):
        content = json.loads(path.read_text())
        self.metadata, self.shapes = content["metadata"], content["shapes"]
        self._network, self._outputs, self._shift = NETWORKS[content["number"]]

    @torch.inference_mode()
    def run(self, inputs):
        found = self._network(*(inputs[name] for name in self.shapes))
        return {n: t + self._shift for n, t in zip(self._outputs, found, strict=True)}
