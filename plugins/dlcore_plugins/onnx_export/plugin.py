"""What the onnx_export plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl

EXTRA = "dlcore[export]"


@hookimpl
def register_exporters() -> list[Component]:
    return [
        Component(
            "onnx",
            "dlcore_plugins.onnx_export.exporter:OnnxExporter",
            summary="One .onnx file, for ONNX Runtime and many other programs.",
            extra=EXTRA,
        ),
    ]


@hookimpl
def register_inference_backends() -> list[Component]:
    return [
        Component(
            "onnxruntime",
            "dlcore_plugins.onnx_export.backend:OnnxRuntimeBackend",
            summary="ONNX Runtime, on the CPU or on GPUs of NVIDIA.",
            extra=EXTRA,
        ),
    ]
