"""What this plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_detectors() -> list[Component]:
    return [
        Component(
            "FasterRCNN",
            "dlcore_plugins.torchvision_detectors.faster_rcnn:FasterRCNN",
            summary="Proposes regions, then looks at each: four networks, as in DeepLabCut.",
        ),
        Component(
            "SSDLite",
            "dlcore_plugins.torchvision_detectors.ssdlite:SSDLite",
            summary="A small and fast detector on images of 320x320, as in DeepLabCut.",
        ),
        Component(
            "RetinaNet",
            "dlcore_plugins.torchvision_detectors.dense:RetinaNet",
            summary="One-stage detector with anchors on a ResNet-50.",
        ),
        Component(
            "FCOS",
            "dlcore_plugins.torchvision_detectors.dense:FCOS",
            summary="One-stage detector without anchors on a ResNet-50.",
        ),
    ]
