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
        Component(
            "top_down_resnet_50",
            "dlcore_plugins.deeplabcut.top_down:TopDownResNet50",
            summary="A detector, then heatmaps of each animal by ResNet-50 with group norm.",
        ),
        Component(
            "top_down_resnet_101",
            "dlcore_plugins.deeplabcut.top_down:TopDownResNet101",
            summary="A detector, then heatmaps of each animal by ResNet-101.",
        ),
        Component(
            "top_down_hrnet_w18",
            "dlcore_plugins.deeplabcut.top_down:TopDownHRNetW18",
            summary="A detector, then heatmaps of each animal by HRNet-W18.",
        ),
        Component(
            "top_down_hrnet_w32",
            "dlcore_plugins.deeplabcut.top_down:TopDownHRNetW32",
            summary="A detector, then heatmaps of each animal by HRNet-W32.",
        ),
        Component(
            "top_down_hrnet_w48",
            "dlcore_plugins.deeplabcut.top_down:TopDownHRNetW48",
            summary="A detector, then heatmaps of each animal by HRNet-W48.",
        ),
        Component(
            "top_down_cspnext_s",
            "dlcore_plugins.deeplabcut.top_down:TopDownCSPNeXtS",
            summary="A detector, then heatmaps of each animal by CSPNeXt-S.",
        ),
        Component(
            "top_down_cspnext_m",
            "dlcore_plugins.deeplabcut.top_down:TopDownCSPNeXtM",
            summary="A detector, then heatmaps of each animal by CSPNeXt-M.",
        ),
        Component(
            "top_down_cspnext_x",
            "dlcore_plugins.deeplabcut.top_down:TopDownCSPNeXtX",
            summary="A detector, then heatmaps of each animal by CSPNeXt-X.",
        ),
        Component(
            "rtmpose_s",
            "dlcore_plugins.deeplabcut.top_down:RTMPoseS",
            summary="A detector, then RTMPose-S on each animal, at 256x256.",
        ),
        Component(
            "rtmpose_m",
            "dlcore_plugins.deeplabcut.top_down:RTMPoseM",
            summary="A detector, then RTMPose-M on each animal, at 256x256.",
        ),
        Component(
            "rtmpose_x",
            "dlcore_plugins.deeplabcut.top_down:RTMPoseX",
            summary="A detector, then RTMPose-X on each animal, at 384x384.",
        ),
        Component(
            "animaltokenpose_base",
            "dlcore_plugins.deeplabcut.top_down:AnimalTokenPose",
            summary="A detector, then an HRNet-W32 and a transformer on each animal.",
        ),
        Component(
            "ctd_coam_w32",
            "dlcore_plugins.deeplabcut.conditional_net_types:CoAMW32",
            summary="Corrects another model's poses with an HRNet-W32 that attends to them.",
        ),
        Component(
            "ctd_coam_w48",
            "dlcore_plugins.deeplabcut.conditional_net_types:CoAMW48",
            summary="Corrects another model's poses with an HRNet-W48 that attends to them.",
        ),
        Component(
            "ctd_coam_w48_human",
            "dlcore_plugins.deeplabcut.conditional_net_types:CoAMW48Human",
            summary="Corrects another model's poses with an HRNet-W48 made for people.",
        ),
        Component(
            "ctd_prenet_hrnet_w32",
            "dlcore_plugins.deeplabcut.conditional_net_types:PreNetHRNetW32",
            summary="Corrects another model's poses with an HRNet-W32.",
        ),
        Component(
            "ctd_prenet_hrnet_w48",
            "dlcore_plugins.deeplabcut.conditional_net_types:PreNetHRNetW48",
            summary="Corrects another model's poses with an HRNet-W48.",
        ),
        Component(
            "ctd_prenet_rtmpose_s",
            "dlcore_plugins.deeplabcut.conditional_net_types:PreNetRTMPoseS",
            summary="Corrects another model's poses with RTMPose-S.",
        ),
        Component(
            "ctd_prenet_rtmpose_m",
            "dlcore_plugins.deeplabcut.conditional_net_types:PreNetRTMPoseM",
            summary="Corrects another model's poses with RTMPose-M.",
        ),
        Component(
            "ctd_prenet_rtmpose_x",
            "dlcore_plugins.deeplabcut.conditional_net_types:PreNetRTMPoseX",
            summary="Corrects another model's poses with RTMPose-X at 384x384.",
        ),
        Component(
            "ctd_prenet_rtmpose_x_human",
            "dlcore_plugins.deeplabcut.conditional_net_types:PreNetRTMPoseXHuman",
            summary="Corrects another model's poses with RTMPose-X at 288x384, for people.",
        ),
    ]


@hookimpl
def register_prediction_writers() -> list[Component]:
    return [
        Component(
            "deeplabcut",
            "dlcore_plugins.deeplabcut.predictions:DeepLabCutWriter",
            summary="The .h5 and .csv that DeepLabCut and what builds on it read.",
        ),
    ]


@hookimpl
def register_evaluation_writers() -> list[Component]:
    return [
        Component(
            "deeplabcut",
            "dlcore_plugins.deeplabcut.evaluation:DeepLabCutEvaluationWriter",
            summary="The .h5 and .csv that DeepLabCut leaves when it evaluates a network.",
        ),
    ]
