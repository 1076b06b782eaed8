"""Conditional top-down net types of DeepLabCut: they correct the rough poses of another model."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.deeplabcut.augmentation import crops
from dlcore_plugins.deeplabcut.backbones import (
    CSPNEXT_M,
    CSPNEXT_S,
    CSPNEXT_X,
    GENTLE,
    TRAINED_NORMS,
    BackboneSpec,
    hrnet_block,
)
from dlcore_plugins.deeplabcut.crop_heads import plain_heatmap_head, simcc_head
from dlcore_plugins.deeplabcut.top_down import MANY_CROPS, refuse_what_crops_lack

_WARM_UP_AND_STEPS = {
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-5}},
    "scheduler": {
        "type": "LRListScheduler",
        "params": {"lr_list": [[1e-3], [1e-4], [1e-5]], "milestones": [5, 300, 360]},
    },
}

_ERRORS = {
    "keypoint_sigmas": 0.1,
    "jitter_prob": 0.16,
    "swap_prob": 0.08,
    "inv_prob": 0.03,
    "miss_prob": 0.1,
}
_PERSON_SIZE = (288, 384)
_PERSON_KEYPOINTS = 14
_PERSON = {
    "keypoint_sigmas": [
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107),
        *(0.087, 0.087, 0.089, 0.089, 0.025, 0.025),
    ],
    "keypoints_symmetry": [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]],
}
"""The keypoints of the CrowdPose data: pairs of left and right, then head and neck."""


class _Conditional(NetType):
    """A backbone that sees a crop and a rough pose.

    Attributes:
        name: What users write.
        size: (width, height) of the crops in pixels.
        person: Whether the shape of the crops is that of standing people.
    """

    approach: ClassVar[str] = "ctd"
    name: ClassVar[str]
    size: ClassVar[tuple[int, int]] = (256, 256)
    person: ClassVar[bool] = False

    @abstractmethod
    def model(self, num_keypoints: int) -> dict[str, Any]:
        """The section `model`."""
        raise NotImplementedError

    def training(self) -> dict[str, Any]:
        """How it is trained."""
        return {"runner": GENTLE}

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If there are unique bodyparts or identities.
        """
        refuse_what_crops_lack(self.name, task)
        shape: dict[str, Any] = {"crop_with_context": True} if self.person else {}
        people = _PERSON if self.person and task.num_keypoints == _PERSON_KEYPOINTS else {}
        config = {
            "net_type": self.name,
            "method": "ctd",
            "model": self.model(task.num_keypoints),
            "data": {**crops(self.size, **shape), "gen_sampling": {**_ERRORS, **people}},
            "inference": {"conditions": None},
            **self.training(),
        }
        return copy.deepcopy(config)

    def sees_poses(self, num_keypoints: int) -> dict[str, Any]:
        """The options of a backbone that say how the rough pose is drawn."""
        width, height = self.size
        return {
            "kpt_encoder": {
                "type": "StackedKeypointEncoder",
                "num_joints": num_keypoints,
                "kernel_size": [15, 15],
            },
            "img_size": [height, width],
        }


class _CoAM(_Conditional):
    """An HRNet whose branches attend to the rough pose.

    Attributes:
        width: Channels of the finest map of the HRNet.
    """

    stride: ClassVar[float] = 4
    width: ClassVar[int]

    def model(self, num_keypoints: int) -> dict[str, Any]:
        """The section `model`."""
        return {
            "backbone": {
                "type": "HRNetCoAM",
                "base_model_name": f"hrnet_w{self.width}",
                "pretrained": True,
                **TRAINED_NORMS,
                "coam_modules": [2],
                "channel_att_only": False,
                "att_heads": 1,
                **self.sees_poses(num_keypoints),
            },
            "heads": {"bodypart": plain_heatmap_head(self.width, num_keypoints)},
            "backbone_output_channels": self.width,
        }


class CoAMW32(_CoAM):
    """HRNet with 32 channels and attention to the rough pose."""

    name = "ctd_coam_w32"
    width = 32
    parameters: ClassVar[float] = 46.9
    gflops: ClassVar[float] = 12.5


class CoAMW48(_CoAM):
    """HRNet with 48 channels and attention to the rough pose."""

    name = "ctd_coam_w48"
    width = 48
    parameters: ClassVar[float] = 82.5
    gflops: ClassVar[float] = 24.6


class CoAMW48Human(_CoAM):
    """HRNet with 48 channels and attention to the rough pose, on crops of 288x384."""

    name = "ctd_coam_w48_human"
    width = 48
    size = _PERSON_SIZE
    person = True
    parameters: ClassVar[float] = 115.6
    gflops: ClassVar[float] = 44.7


class _PreNet(_Conditional):
    """A backbone behind layers that lay the drawn pose over the image."""

    def behind_layers(self, block: Mapping[str, Any], num_keypoints: int) -> dict[str, Any]:
        """The block of a backbone behind such layers."""
        # the layers in front are new: with fixed batch-norm layers they learn badly
        front = {"type": "CondPreNet", **TRAINED_NORMS}
        return {**front, "backbone": block, **self.sees_poses(num_keypoints)}


class _PreNetHRNet(_PreNet):
    """That with an HRNet, and heatmaps.

    Attributes:
        width: Channels of the finest map of the HRNet.
    """

    stride: ClassVar[float] = 4
    width: ClassVar[int]

    def model(self, num_keypoints: int) -> dict[str, Any]:
        """The section `model`."""
        return {
            "backbone": self.behind_layers(hrnet_block(self.width), num_keypoints),
            "heads": {"bodypart": plain_heatmap_head(self.width, num_keypoints)},
            "backbone_output_channels": self.width,
        }


class PreNetHRNetW32(_PreNetHRNet):
    """HRNet with 32 channels, the rough pose laid over the image."""

    name = "ctd_prenet_hrnet_w32"
    width = 32
    parameters: ClassVar[float] = 28.5
    gflops: ClassVar[float] = 11.1


class PreNetHRNetW48(_PreNetHRNet):
    """HRNet with 48 channels, the rough pose laid over the image."""

    name = "ctd_prenet_hrnet_w48"
    width = 48
    parameters: ClassVar[float] = 63.6
    gflops: ClassVar[float] = 22.0


class _PreNetRTMPose(_PreNet):
    """That with an RTMPose.

    Attributes:
        spec: The CSPNeXt.
    """

    stride: ClassVar[float] = 32
    spec: ClassVar[BackboneSpec]

    def model(self, num_keypoints: int) -> dict[str, Any]:
        """The section `model`."""
        spec = self.spec
        return {
            "backbone": self.behind_layers(spec.block, num_keypoints),
            "heads": {"bodypart": simcc_head(spec.channels, num_keypoints, self.size)},
            "backbone_output_channels": spec.channels,
        }

    def training(self) -> dict[str, Any]:
        """How it is trained."""
        return {"runner": _WARM_UP_AND_STEPS, "train_settings": MANY_CROPS}


class PreNetRTMPoseS(_PreNetRTMPose):
    """RTMPose, small, the rough pose laid over the image."""

    name = "ctd_prenet_rtmpose_s"
    spec = CSPNEXT_S
    parameters: ClassVar[float] = 5.2
    gflops: ClassVar[float] = 1.7


class PreNetRTMPoseM(_PreNetRTMPose):
    """RTMPose, middle, the rough pose laid over the image."""

    name = "ctd_prenet_rtmpose_m"
    spec = CSPNEXT_M
    parameters: ClassVar[float] = 13.2
    gflops: ClassVar[float] = 3.3


class PreNetRTMPoseX(_PreNetRTMPose):
    """RTMPose, extra large, with crops of 384x384, the rough pose laid over the image."""

    name = "ctd_prenet_rtmpose_x"
    spec = CSPNEXT_X
    size = (384, 384)
    parameters: ClassVar[float] = 48.8
    gflops: ClassVar[float] = 24.5


class PreNetRTMPoseXHuman(_PreNetRTMPose):
    """RTMPose, extra large, with crops of 288x384, the rough pose laid over the image."""

    name = "ctd_prenet_rtmpose_x_human"
    spec = CSPNEXT_X
    size = _PERSON_SIZE
    person = True
    parameters: ClassVar[float] = 48.8
    gflops: ClassVar[float] = 18.4
