"""What the timm plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_backbones() -> list[Component]:
    return [
        Component(
            "ResNet",
            "dlcore_plugins.timm_backbones.resnet:ResNet",
            summary="A residual network, as in DeepLabCut: one map after the last stage.",
        ),
        Component(
            "TimmBackbone",
            "dlcore_plugins.timm_backbones.timm_backbone:TimmBackbone",
            summary="Any timm model with feature maps, vision transformers too.",
        ),
    ]
