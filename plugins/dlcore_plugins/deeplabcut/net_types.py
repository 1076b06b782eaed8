"""Net types of DeepLabCut: the configs that it would write, key for key."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.deeplabcut.heads import heatmap_head, identity_head, paf_head, unique_head

_FAST = {
    "optimizer": {"type": "AdamW", "params": {"lr": 5e-4}},
    "scheduler": {
        "type": "LRListScheduler",
        "params": {"lr_list": [[1e-4], [1e-5]], "milestones": [90, 120]},
    },
}
_GENTLE = {
    "optimizer": {"type": "AdamW", "params": {"lr": 1e-4}},
    "scheduler": {
        "type": "LRListScheduler",
        "params": {"lr_list": [[1e-5], [1e-6]], "milestones": [160, 190]},
    },
}
_MULTIPLES_OF_32 = {"auto_padding": {"pad_width_divisor": 32, "pad_height_divisor": 32}}
_TRAINED_NORMS = {"freeze_bn_stats": False, "freeze_bn_weights": False}


def _resnet(model_name: str) -> dict[str, Any]:
    return {"type": "ResNet", "model_name": model_name, "output_stride": 16, **_TRAINED_NORMS}


def _hrnet(model_name: str) -> dict[str, Any]:
    return {
        "type": "HRNet",
        "model_name": model_name,
        "freeze_bn_stats": True,
        "freeze_bn_weights": False,
        "interpolate_branches": False,
        "increased_channel_count": False,
    }


def _cspnext(model_name: str, depth: float, width: float) -> dict[str, Any]:
    factors = {"deepen_factor": depth, "widen_factor": width}
    return {"type": "CSPNeXt", "model_name": model_name, **_TRAINED_NORMS, **factors}


def _dlcrnet(output_stride: int) -> dict[str, Any]:
    return {
        "type": "DLCRNet",
        "model_name": "resnet50",
        "pretrained": True,
        "output_stride": output_stride,
    }


class _BottomUp(NetType):
    """A backbone and one doubling layer to heatmaps, for several individuals with their limbs.

    Parameters and cost are those of the backbone, the stride is that for one individual.

    Attributes:
        name: What users write.
        backbone: Type and options of the backbone.
        channels: Channels of its map.
        runner: Optimizer and scheduler.
        fitting: Transforms that the backbone needs in training and inference.
    """

    name: ClassVar[str]
    backbone: ClassVar[Mapping[str, Any]]
    channels: ClassVar[int]
    runner: ClassVar[Mapping[str, Any]] = _FAST
    fitting: ClassVar[Mapping[str, Any]] = {}

    def bodypart_head(self, task: PoseTask) -> dict[str, Any]:
        """The head that finds the keypoints of the individuals.

        Raises:
            DlcoreError: If the architecture cannot do the task.
        """
        if task.num_individuals > 1:
            return paf_head([self.channels], task)
        return heatmap_head(self.channels, task.num_keypoints)

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If the architecture cannot do the task.
        """
        heads = {"bodypart": self.bodypart_head(task)}
        if task.unique_keypoints:
            heads["unique_bodypart"] = unique_head(self.channels, len(task.unique_keypoints))
        if task.with_identity and task.num_individuals > 1:
            heads["identity"] = identity_head(self.channels, task.num_individuals)
        config = {
            "net_type": self.name,
            "method": "bu",
            "model": {
                "backbone": self.backbone,
                "heads": heads,
                "backbone_output_channels": self.channels,
            },
            "data": {
                "inference": {**self.fitting, "normalize_images": True},
                "train": {
                    "affine": {
                        "p": 0.5,
                        "rotation": 30,
                        "scaling": [0.5, 1.25],
                        "translation": 0,
                    },
                    "crop_sampling": {
                        "width": 448,
                        "height": 448,
                        "max_shift": 0.1,
                        "method": "hybrid",
                    },
                    "motion_blur": True,
                    "gaussian_noise": 12.75,
                    **self.fitting,
                    "normalize_images": True,
                },
            },
            "runner": self.runner,
        }
        return copy.deepcopy(config)


class _ResNet(_BottomUp):
    """A ResNet with output stride 16: heatmaps at stride 8."""

    channels = 2048
    stride: ClassVar[float] = 8


class ResNet50(_ResNet):
    """ResNet-50 with group norm, DeepLabCut's default."""

    name = "resnet_50"
    backbone = _resnet("resnet50_gn")
    parameters: ClassVar[float] = 23.5
    gflops: ClassVar[float] = 8.1


class ResNet101(_ResNet):
    """ResNet-101 with batch norm."""

    name = "resnet_101"
    backbone = _resnet("resnet101")
    parameters: ClassVar[float] = 42.5
    gflops: ClassVar[float] = 13.0


class _HRNet(_BottomUp):
    """A high-resolution network: heatmaps at stride 2."""

    runner = _GENTLE
    fitting = _MULTIPLES_OF_32
    stride: ClassVar[float] = 2


class HRNetW18(_HRNet):
    """HRNet with 18 channels."""

    name = "hrnet_w18"
    backbone = _hrnet("hrnet_w18")
    channels = 18
    parameters: ClassVar[float] = 9.3
    gflops: ClassVar[float] = 4.3


class HRNetW32(_HRNet):
    """HRNet with 32 channels."""

    name = "hrnet_w32"
    backbone = _hrnet("hrnet_w32")
    channels = 32
    parameters: ClassVar[float] = 28.5
    gflops: ClassVar[float] = 10.3


class HRNetW48(_HRNet):
    """HRNet with 48 channels."""

    name = "hrnet_w48"
    backbone = _hrnet("hrnet_w48")
    channels = 48
    parameters: ClassVar[float] = 63.6
    gflops: ClassVar[float] = 21.2


class _CSPNeXt(_BottomUp):
    """A CSPNeXt: heatmaps at stride 16."""

    stride: ClassVar[float] = 16


class CSPNeXtS(_CSPNeXt):
    """CSPNeXt, small."""

    name = "cspnext_s"
    backbone = _cspnext("cspnext_s", 0.33, 0.5)
    channels = 512
    parameters: ClassVar[float] = 4.4
    gflops: ClassVar[float] = 0.9


class CSPNeXtM(_CSPNeXt):
    """CSPNeXt, middle."""

    name = "cspnext_m"
    backbone = _cspnext("cspnext_m", 0.67, 0.75)
    channels = 768
    parameters: ClassVar[float] = 12.3
    gflops: ClassVar[float] = 2.5


class CSPNeXtX(_CSPNeXt):
    """CSPNeXt, extra large."""

    name = "cspnext_x"
    backbone = _cspnext("cspnext_x", 1.33, 1.25)
    channels = 1280
    parameters: ClassVar[float] = 47.6
    gflops: ClassVar[float] = 10.1


class _DLCRNet(_BottomUp):
    """A ResNet-50 whose finer maps join the last one, for several individuals with their limbs.

    Attributes:
        hidden: Channels between the doubling layers of the head, if there are several.
    """

    channels = 2304
    runner: ClassVar[Mapping[str, Any]] = {"eval_interval": 25, **_GENTLE}
    stride: ClassVar[float] = 4
    hidden: ClassVar[tuple[int, ...]] = ()

    def bodypart_head(self, task: PoseTask) -> dict[str, Any]:
        """The head that finds the keypoints of the individuals.

        Raises:
            DlcoreError: If there is only one individual.
        """
        if task.num_individuals == 1:
            raise DlcoreError(
                f"net type {self.name!r} is for several individuals per image, and there is one; "
                f"choose another, such as 'resnet_50'"
            )
        return paf_head([self.channels, *self.hidden], task)


class DLCRNetStride16(_DLCRNet):
    """DLCRNet with the ResNet's last stage dilated."""

    name = "dlcrnet_stride16_ms5"
    backbone = _dlcrnet(16)
    parameters: ClassVar[float] = 27.1
    gflops: ClassVar[float] = 9.4


class DLCRNetStride32(_DLCRNet):
    """DLCRNet with an ordinary ResNet."""

    name = "dlcrnet_stride32_ms5"
    backbone = _dlcrnet(32)
    hidden = (1152,)
    parameters: ClassVar[float] = 27.1
    gflops: ClassVar[float] = 6.6
