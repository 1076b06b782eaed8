"""What the timm plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_backbones() -> list[Component]:
    return [
        Component(
            "DLCRNet",
            "dlcore_plugins.timm_backbones.dlcrnet:DLCRNet",
            summary="A ResNet whose last map is joined by two finer ones, as in DeepLabCut.",
        ),
        Component(
            "HRNet",
            "dlcore_plugins.timm_backbones.hrnet:HRNet",
            summary="A high-resolution network, as in DeepLabCut: one map at stride 4.",
        ),
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


@hookimpl
def register_net_types() -> list[Component]:
    return [
        Component(
            "light_efficientnet",
            "dlcore_plugins.timm_backbones.net_types:LightEfficientNet",
            summary="EfficientNet-Lite0 and heatmaps, with limbs for several animals: for CPUs.",
        ),
        Component(
            "convnext_t",
            "dlcore_plugins.timm_backbones.net_types:ConvNeXtT",
            summary="ConvNeXt-Tiny and a feature pyramid: heatmaps, limbs for several animals.",
        ),
        Component(
            "dinov2_s",
            "dlcore_plugins.timm_backbones.net_types:DinoV2S",
            summary="A small DINOv2 transformer: heatmaps, and limbs for several animals.",
        ),
        Component(
            "simcc_dinov2_s",
            "dlcore_plugins.timm_backbones.net_types:SimCCDinoV2S",
            summary="A detector, then a small DINOv2 transformer and bins along x and y.",
        ),
    ]
