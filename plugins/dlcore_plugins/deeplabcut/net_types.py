"""Net types of DeepLabCut: the configs that it would write, key for key."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask

_LOCREF_STD = 7.2801
_DISTANCE = 17

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


class _Heatmaps(NetType):
    """A backbone and one doubling layer to heatmaps.

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

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for one individual per image.

        Raises:
            DlcoreError: If there are several individuals.
        """
        if task.num_individuals > 1:
            raise DlcoreError(
                f"net type {self.name!r} tells {task.num_individuals} individuals apart with part "
                f"affinity fields, which no installed plugin offers yet; use it for data with "
                f"one individual, or choose another net type (see `dlcore list net_types`)"
            )
        heads = {"bodypart": _heatmap_head(self.channels, task.num_keypoints)}
        if task.unique_keypoints:
            unique = _heatmap_head(self.channels, len(task.unique_keypoints))
            unique["target_generator"]["label_keypoint_key"] = "keypoints_unique"
            heads["unique_bodypart"] = unique
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


class _ResNet(_Heatmaps):
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


class _HRNet(_Heatmaps):
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


class _CSPNeXt(_Heatmaps):
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


def _heatmap_head(channels: int, num_keypoints: int) -> dict[str, Any]:
    """One doubling layer to heatmaps and to offsets within a cell."""
    layer = {"kernel_size": [3], "strides": [2]}
    return {
        "type": "HeatmapHead",
        "weight_init": "normal",
        "predictor": {
            "type": "HeatmapPredictor",
            "apply_sigmoid": False,
            "clip_scores": True,
            "location_refinement": True,
            "locref_std": _LOCREF_STD,
        },
        "target_generator": {
            "type": "HeatmapGaussianGenerator",
            "num_heatmaps": num_keypoints,
            "pos_dist_thresh": _DISTANCE,
            "heatmap_mode": "KEYPOINT",
            "gradient_masking": False,
            "generate_locref": True,
            "locref_std": _LOCREF_STD,
        },
        "criterion": {
            "heatmap": {"type": "WeightedMSECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
        },
        "heatmap_config": {"channels": [channels, num_keypoints], **layer},
        "locref_config": {"channels": [channels, 2 * num_keypoints], **layer},
    }
