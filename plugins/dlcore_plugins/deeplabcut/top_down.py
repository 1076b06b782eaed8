"""Top-down net types of DeepLabCut: a detector, and a network that sees one crop at a time."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.deeplabcut import backbones
from dlcore_plugins.deeplabcut.augmentation import crops
from dlcore_plugins.deeplabcut.backbones import BackboneSpec
from dlcore_plugins.deeplabcut.crop_heads import masked_heatmap_head, simcc_head, token_head
from dlcore_plugins.deeplabcut.detector import detector_section

WARM_UP_AND_COSINE: dict[str, Any] = {
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
    "scheduler": {
        "type": "SequentialLR",
        "params": {
            "schedulers": [
                {
                    "type": "LinearLR",
                    "params": {"start_factor": 0.001, "end_factor": 1.0, "total_iters": 5},
                },
                {"type": "CosineAnnealingLR", "params": {"T_max": 200, "eta_min": 5e-5}},
                {
                    "type": "LRListScheduler",
                    "params": {"lr_list": [[5e-5]], "milestones": [0]},
                },
            ],
            "milestones": [200, 400],
        },
    },
}
"""Optimizer and schedule of RTMPose."""

MANY_CROPS = {"batch_size": 32, "dataloader_workers": 4, "epochs": 400}
"""The section `train_settings` of networks with a SimCC head."""

_SIZE = (256, 256)
_TOKEN_DIM = 192
_JITTERED_BOXES = {
    "shift_factor": 0.16,
    "shift_prob": 0.3,
    "scale_factor": [0.75, 1.25],
    "scale_prob": 1.0,
    "p": 1.0,
}


def refuse_what_crops_lack(name: str, task: PoseTask) -> None:
    """Refuse a task that a network cannot do which sees one individual at a time.

    Raises:
        DlcoreError: If there are unique bodyparts, or identities to be told apart.
    """
    if task.unique_keypoints:
        raise DlcoreError(
            f"net type {name!r} looks at one individual at a time and finds no unique bodyparts "
            f"({', '.join(task.unique_keypoints)}); choose a bottom-up one, such as 'dekr_w18'"
        )
    if task.with_identity and task.num_individuals > 1:
        raise DlcoreError(
            f"net type {name!r} looks at one individual at a time and cannot tell which of the "
            f"{task.num_individuals} it is; choose a bottom-up one, such as 'dekr_w18', or train "
            f"without identities (in a DeepLabCut project: `identity: false` in its config.yaml)"
        )


class _TopDown(NetType):
    """Finds individuals with a detector, then the keypoints of each in a crop.

    Attributes:
        name: What users write.
        spec: The backbone.
    """

    approach: ClassVar[str] = "td"
    name: ClassVar[str]
    spec: ClassVar[BackboneSpec]

    @abstractmethod
    def pose_sections(self, num_keypoints: int) -> dict[str, Any]:
        """`net_type`, `model`, `data`, and how the pose model is trained."""
        raise NotImplementedError

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If there are unique bodyparts or identities.
        """
        refuse_what_crops_lack(self.name, task)
        sections = self.pose_sections(task.num_keypoints)
        return copy.deepcopy({**sections, "method": "td", "detector": detector_section()})


class _Heatmaps(_TopDown):
    """A backbone and heatmaps at its resolution."""

    def pose_sections(self, num_keypoints: int) -> dict[str, Any]:
        """`net_type`, `model`, `data` and `runner`."""
        spec = self.spec
        return {
            "net_type": spec.name,
            "model": {
                "backbone": spec.block,
                "heads": {"bodypart": masked_heatmap_head(spec.channels, num_keypoints)},
                "backbone_output_channels": spec.channels,
            },
            "data": crops(_SIZE, train=spec.fitting, inference=spec.fitting),
            "runner": spec.runner,
        }


class TopDownResNet50(_Heatmaps):
    """ResNet-50 with group norm on crops."""

    name = "top_down_resnet_50"
    spec = backbones.RESNET_50
    stride: ClassVar[float] = 16
    parameters: ClassVar[float] = 23.5
    gflops: ClassVar[float] = 8.1


class TopDownResNet101(_Heatmaps):
    """ResNet-101 with batch norm on crops."""

    name = "top_down_resnet_101"
    spec = backbones.RESNET_101
    stride: ClassVar[float] = 16
    parameters: ClassVar[float] = 42.5
    gflops: ClassVar[float] = 13.0


class TopDownHRNetW18(_Heatmaps):
    """HRNet with 18 channels on crops."""

    name = "top_down_hrnet_w18"
    spec = backbones.HRNET_W18
    stride: ClassVar[float] = 4
    parameters: ClassVar[float] = 9.3
    gflops: ClassVar[float] = 4.3


class TopDownHRNetW32(_Heatmaps):
    """HRNet with 32 channels on crops."""

    name = "top_down_hrnet_w32"
    spec = backbones.HRNET_W32
    stride: ClassVar[float] = 4
    parameters: ClassVar[float] = 28.5
    gflops: ClassVar[float] = 10.3


class TopDownHRNetW48(_Heatmaps):
    """HRNet with 48 channels on crops."""

    name = "top_down_hrnet_w48"
    spec = backbones.HRNET_W48
    stride: ClassVar[float] = 4
    parameters: ClassVar[float] = 63.6
    gflops: ClassVar[float] = 21.2


class TopDownCSPNeXtS(_Heatmaps):
    """CSPNeXt, small, on crops."""

    name = "top_down_cspnext_s"
    spec = backbones.CSPNEXT_S
    stride: ClassVar[float] = 32
    parameters: ClassVar[float] = 4.4
    gflops: ClassVar[float] = 0.86


class TopDownCSPNeXtM(_Heatmaps):
    """CSPNeXt, middle, on crops."""

    name = "top_down_cspnext_m"
    spec = backbones.CSPNEXT_M
    stride: ClassVar[float] = 32
    parameters: ClassVar[float] = 12.3
    gflops: ClassVar[float] = 2.5


class TopDownCSPNeXtX(_Heatmaps):
    """CSPNeXt, extra large, on crops."""

    name = "top_down_cspnext_x"
    spec = backbones.CSPNEXT_X
    stride: ClassVar[float] = 32
    parameters: ClassVar[float] = 47.6
    gflops: ClassVar[float] = 10.1


class _RTMPose(_TopDown):
    """A CSPNeXt and a SimCC head: columns and rows of each keypoint apart.

    Attributes:
        size: (width, height) of the crops in pixels; the head takes no other.
    """

    stride: ClassVar[float] = 32
    size: ClassVar[tuple[int, int]] = _SIZE

    def pose_sections(self, num_keypoints: int) -> dict[str, Any]:
        """`net_type`, `model`, `data`, `runner` and `train_settings`."""
        spec = self.spec
        return {
            "net_type": self.name,
            "model": {
                "backbone": spec.block,
                "heads": {"bodypart": simcc_head(spec.channels, num_keypoints, self.size)},
                "backbone_output_channels": spec.channels,
            },
            "data": crops(self.size, train={"random_bbox_transform": _JITTERED_BOXES}),
            "runner": WARM_UP_AND_COSINE,
            "train_settings": MANY_CROPS,
        }


class RTMPoseS(_RTMPose):
    """RTMPose, small."""

    name = "rtmpose_s"
    spec = backbones.CSPNEXT_S
    parameters: ClassVar[float] = 5.2
    gflops: ClassVar[float] = 0.87


class RTMPoseM(_RTMPose):
    """RTMPose, middle."""

    name = "rtmpose_m"
    spec = backbones.CSPNEXT_M
    parameters: ClassVar[float] = 13.2
    gflops: ClassVar[float] = 2.5


class RTMPoseX(_RTMPose):
    """RTMPose, extra large, with crops of 384x384."""

    name = "rtmpose_x"
    spec = backbones.CSPNEXT_X
    size = (384, 384)
    parameters: ClassVar[float] = 48.8
    gflops: ClassVar[float] = 22.8


class AnimalTokenPose(_TopDown):
    """HRNet with 32 channels, whose map a transformer reads for a token of each keypoint."""

    name = "animaltokenpose_base"
    spec = backbones.HRNET_W32
    stride: ClassVar[float] = 4
    parameters: ClassVar[float] = 33.7
    gflops: ClassVar[float] = 11.5

    def pose_sections(self, num_keypoints: int) -> dict[str, Any]:
        """`net_type`, `model`, `data` and `runner`."""
        cells = (64, 64)
        return {
            "net_type": self.name,
            "model": {
                "backbone": self.spec.block,
                "neck": {
                    "type": "Transformer",
                    "feature_size": list(cells),
                    "patch_size": [4, 4],
                    "num_keypoints": num_keypoints,
                    "channels": self.spec.channels,
                    "dim": _TOKEN_DIM,
                    "heads": 8,
                    "depth": 6,
                },
                "heads": {"bodypart": token_head(num_keypoints, _TOKEN_DIM, cells)},
                "backbone_output_channels": self.spec.channels,
            },
            "data": crops(_SIZE),
            "runner": self.spec.runner,
        }
