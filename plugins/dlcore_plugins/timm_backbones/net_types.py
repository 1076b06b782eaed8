"""Ready-made architectures on timm backbones."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.timm_backbones.limbs import limbs
from dlcore_plugins.timm_backbones.net_type_heads import (
    Layers,
    heatmap_head,
    identity_head,
    limb_head,
    simcc_head,
    unique_head,
)

_DINOV2_S = "vit_small_patch14_reg4_dinov2.lvd142m"
"""Weights of Meta's DINOv2 with registers, under the Apache licence."""

_MULTIPLES_OF_32 = {"auto_padding": {"pad_width_divisor": 32, "pad_height_divisor": 32}}


def _runner(rates: list[float], milestones: list[int], **others: Any) -> dict[str, Any]:
    """AdamW with the first rate, from each milestone on with the next."""
    return {
        "optimizer": {"type": "AdamW", "params": {"lr": rates[0]}},
        "scheduler": {
            "type": "LRListScheduler",
            "params": {"lr_list": [[rate] for rate in rates[1:]], "milestones": milestones},
        },
        **others,
    }


_WARMED_UP = _runner([1e-5, 1e-4, 1e-5, 1e-6], [5, 140, 180], max_gradient_norm=1.0)
"""For transformers: a few gentle epochs first."""


class _BottomUp(NetType):
    """Heatmaps for one individual; limbs in addition for several.

    Attributes:
        name: What users write.
        backbone: Type and options of the backbone.
        neck: Type and options of the neck, None for none.
        layers: From the features to the maps.
        nms_radius: Side in cells of the window in which there is one keypoint of a kind.
        crop: Side in pixels of the windows that are cut out in training.
        fitting: Transforms that the backbone needs in training and inference.
        runner: Optimizer and schedule.
    """

    name: ClassVar[str]
    backbone: ClassVar[Mapping[str, Any]]
    neck: ClassVar[Mapping[str, Any] | None] = None
    layers: ClassVar[Layers]
    nms_radius: ClassVar[int] = 3
    crop: ClassVar[int] = 448
    fitting: ClassVar[Mapping[str, Any]] = {}
    runner: ClassVar[Mapping[str, Any]]

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If several individuals have a single keypoint.
        """
        model: dict[str, Any] = {"backbone": self.backbone, "heads": self._heads(task)}
        if self.neck is not None:
            model["neck"] = self.neck
        config = {
            "net_type": self.name,
            "method": "bu",
            "model": model,
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
                        "width": self.crop,
                        "height": self.crop,
                        "max_shift": 0.1,
                        "method": "hybrid",
                    },
                    "gaussian_noise": 12.75,
                    **self.fitting,
                    "normalize_images": True,
                },
            },
            "runner": self.runner,
        }
        return copy.deepcopy(config)

    def _heads(self, task: PoseTask) -> dict[str, Any]:
        several = task.num_individuals > 1
        heads = {
            "bodypart": limb_head(self.layers, limbs(self.name, task), nms_radius=self.nms_radius)
            if several
            else heatmap_head(self.layers, "num_bodyparts", "num_bodyparts x 2")
        }
        if task.unique_keypoints:
            heads["unique_bodypart"] = unique_head(self.layers, len(task.unique_keypoints))
        if task.with_identity and several:
            heads["identity"] = identity_head(self.layers)
        return heads


class _LightForSeveral(_BottomUp):
    """EfficientNet-Lite0 with a feature pyramid: heatmaps and limbs at stride 4."""

    name = "light_efficientnet"
    backbone: ClassVar[Mapping[str, Any]] = {
        "type": "TimmBackbone",
        "model_name": "tf_efficientnet_lite0",
        "out_indices": [1, 2, 3],
    }
    neck: ClassVar[Mapping[str, Any]] = {"type": "FeaturePyramid", "channels": 64, "relu": True}
    layers = Layers(kernel_size=[1], strides=[1])
    nms_radius = 5
    crop = 384
    runner = _runner([1e-3, 1e-4, 1e-5], [140, 180])


class LightEfficientNet(_BottomUp):
    """EfficientNet-Lite0 up to stride 16 and one doubling layer: heatmaps at stride 8.

    Made for training on a CPU and for fast videos: a twentieth of the multiplications of
    `resnet_50`. For several individuals a feature pyramid brings heatmaps and limbs to stride 4,
    which costs half as much again. For a more powerful network change `out_indices` or
    `model_name`; channels follow.
    """

    stride: ClassVar[float] = 8
    parameters: ClassVar[float] = 0.72
    gflops: ClassVar[float] = 0.32
    name = "light_efficientnet"
    backbone: ClassVar[Mapping[str, Any]] = {
        "type": "TimmBackbone",
        "model_name": "tf_efficientnet_lite0",
        "out_indices": [3],
    }
    layers = Layers(kernel_size=[3], strides=[2])
    crop = _LightForSeveral.crop
    runner = _LightForSeveral.runner

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If several individuals have a single keypoint.
        """
        if task.num_individuals > 1:
            return _LightForSeveral().config(task)
        return super().config(task)


class ConvNeXtT(_BottomUp):
    """ConvNeXt-Tiny, all four maps joined by a feature pyramid: heatmaps at stride 4.

    Any other network of timm with maps at strides 4 to 32 can stand in its place: a Swin, an
    EfficientNet, a larger ConvNeXt.
    """

    stride: ClassVar[float] = 4
    parameters: ClassVar[float] = 28.2
    gflops: ClassVar[float] = 6.5
    name = "convnext_t"
    backbone: ClassVar[Mapping[str, Any]] = {
        "type": "TimmBackbone",
        "model_name": "convnext_tiny.in12k_ft_in1k",
        "out_indices": [0, 1, 2, 3],
    }
    neck: ClassVar[Mapping[str, Any]] = {
        "type": "FeaturePyramid",
        "channels": 128,
        "normalize": True,
        "relu": True,
    }
    layers = Layers(kernel_size=[1], strides=[1])
    nms_radius = 5
    fitting = _MULTIPLES_OF_32
    runner = _runner([2e-4, 2e-5, 2e-6], [140, 180])


class DinoV2S(_BottomUp):
    """A small vision transformer with weights of DINOv2: heatmaps at stride 7.

    Its weights come from pictures without labels, which transfers well to what ImageNet does not
    show. Images may have any size; multiples of 14 are used best.
    """

    stride: ClassVar[float] = 7
    parameters: ClassVar[float] = 22.4
    gflops: ClassVar[float] = 9.2
    name = "dinov2_s"
    backbone: ClassVar[Mapping[str, Any]] = {"type": "TimmBackbone", "model_name": _DINOV2_S}
    layers = Layers(kernel_size=[2, 1], strides=[2, 1], hidden=[128])
    runner = _WARMED_UP


class SimCCDinoV2S(NetType):
    """A detector, then on each individual a small vision transformer and RTMPose's head.

    The crops have 252x252 pixels, which is 18x18 patches.
    """

    approach: ClassVar[str] = "td"
    stride: ClassVar[float] = 14
    parameters: ClassVar[float] = 22.9
    gflops: ClassVar[float] = 8.1
    size: ClassVar[tuple[int, int]] = (252, 252)

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals.

        Raises:
            DlcoreError: If there are unique bodyparts or identities.
        """
        _refuse_what_crops_lack("simcc_dinov2_s", task)
        crop = {"width": self.size[0], "height": self.size[1]}
        config = {
            "net_type": "simcc_dinov2_s",
            "method": "td",
            "model": {
                "backbone": {"type": "TimmBackbone", "model_name": _DINOV2_S},
                "heads": {"bodypart": simcc_head(self.size)},
            },
            "data": {
                "inference": {"normalize_images": True, "top_down_crop": crop},
                "train": {
                    "affine": {"p": 0.5, "rotation": 30, "scaling": [1.0, 1.0], "translation": 0},
                    "random_bbox_transform": {
                        "shift_factor": 0.16,
                        "shift_prob": 0.3,
                        "scale_factor": [0.75, 1.25],
                        "scale_prob": 1.0,
                        "p": 1.0,
                    },
                    "gaussian_noise": 12.75,
                    "normalize_images": True,
                    "top_down_crop": crop,
                },
            },
            "runner": _WARMED_UP,
            "train_settings": {"batch_size": 32},
            "detector": _DETECTOR,
        }
        return copy.deepcopy(config)


_DETECTOR: Mapping[str, Any] = {
    "model": {"type": "SSDLite", "box_score_thresh": 0.01},
    "data": {
        "inference": {"normalize_images": True},
        "train": {
            "hflip": True,
            "affine": {"p": 0.5, "rotation": 30, "scaling": [1.0, 1.0], "translation": 40},
            "normalize_images": True,
            "collate": {
                "type": "ResizeFromDataSizeCollate",
                "min_scale": 0.4,
                "max_scale": 1.0,
                "min_short_side": 128,
                "max_short_side": 1152,
                "multiple_of": 32,
                "to_square": False,
            },
        },
    },
    "runner": _runner([1e-4, 1e-5], [160]),
    "train_settings": {"batch_size": 16, "epochs": 250},
}


def _refuse_what_crops_lack(name: str, task: PoseTask) -> None:
    """Refuse a task that a network cannot do which sees one individual at a time.

    Raises:
        DlcoreError: If there are unique bodyparts, or identities to be told apart.
    """
    lacking = []
    if task.unique_keypoints:
        lacking.append(f"unique bodyparts ({', '.join(task.unique_keypoints)})")
    if task.with_identity and task.num_individuals > 1:
        lacking.append("who is who")
    if lacking:
        raise DlcoreError(
            f"net type {name!r} looks at one individual at a time and does not find "
            f"{' or '.join(lacking)}; choose a bottom-up one, such as 'dinov2_s'"
        )
