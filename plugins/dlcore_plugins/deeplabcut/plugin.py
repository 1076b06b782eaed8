"""What the DeepLabCut plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_datasets() -> list[Component]:
    return [
        Component(
            "DLCLoader",
            "dlcore_plugins.deeplabcut.dataset:DLCLoader",
            summary="A DeepLabCut project on disk: its labels, and the split of a shuffle.",
        ),
    ]


@hookimpl
def register_net_types() -> list[Component]:
    return [
        Component(
            "resnet_50",
            "dlcore_plugins.deeplabcut.net_types:ResNet50",
            summary="ResNet-50 with group norm: heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "resnet_101",
            "dlcore_plugins.deeplabcut.net_types:ResNet101",
            summary="ResNet-101: heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "hrnet_w18",
            "dlcore_plugins.deeplabcut.net_types:HRNetW18",
            summary="HRNet-W18: fine heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "hrnet_w32",
            "dlcore_plugins.deeplabcut.net_types:HRNetW32",
            summary="HRNet-W32: fine heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "hrnet_w48",
            "dlcore_plugins.deeplabcut.net_types:HRNetW48",
            summary="HRNet-W48: fine heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "cspnext_s",
            "dlcore_plugins.deeplabcut.net_types:CSPNeXtS",
            summary="CSPNeXt-S: coarse heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "cspnext_m",
            "dlcore_plugins.deeplabcut.net_types:CSPNeXtM",
            summary="CSPNeXt-M: coarse heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "cspnext_x",
            "dlcore_plugins.deeplabcut.net_types:CSPNeXtX",
            summary="CSPNeXt-X: coarse heatmaps, and limbs to tell several animals apart.",
        ),
        Component(
            "dlcrnet_stride16_ms5",
            "dlcore_plugins.deeplabcut.net_types:DLCRNetStride16",
            summary="ResNet-50 joined by finer maps, dilated: several animals by their limbs.",
        ),
        Component(
            "dlcrnet_stride32_ms5",
            "dlcore_plugins.deeplabcut.net_types:DLCRNetStride32",
            summary="ResNet-50 joined by finer maps: several animals by their limbs.",
        ),
        Component(
            "dekr_w18",
            "dlcore_plugins.deeplabcut.dekr_net_types:DekrW18",
            summary="HRNet-W18 and DEKR: several animals by their centres, as in DeepLabCut.",
        ),
        Component(
            "dekr_w32",
            "dlcore_plugins.deeplabcut.dekr_net_types:DekrW32",
            summary="HRNet-W32 and DEKR: several animals by their centres, as in DeepLabCut.",
        ),
        Component(
            "dekr_w48",
            "dlcore_plugins.deeplabcut.dekr_net_types:DekrW48",
            summary="HRNet-W48 and DEKR: several animals by their centres, as in DeepLabCut.",
        ),
    ]
