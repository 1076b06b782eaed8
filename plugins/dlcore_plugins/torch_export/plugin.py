"""What the torch_export plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_exporters() -> list[Component]:
    return [
        Component(
            "torch_export",
            "dlcore_plugins.torch_export.exporter:TorchExporter",
            summary="One .pt2 file of torch.export, for programs with torch but without dlcore.",
        ),
    ]


@hookimpl
def register_inference_backends() -> list[Component]:
    return [
        Component(
            "torch_export",
            "dlcore_plugins.torch_export.backend:TorchExportBackend",
            summary="Torch itself, from a .pt2 file, on the CPU or on GPUs.",
        ),
    ]
