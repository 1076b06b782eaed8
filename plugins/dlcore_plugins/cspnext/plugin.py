"""What the CSPNeXt plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_backbones() -> list[Component]:
    return [
        Component(
            "CSPNeXt",
            "dlcore_plugins.cspnext.backbone:CSPNeXt",
            summary="The fast convolutional network of RTMPose: one map at stride 32.",
        ),
    ]
