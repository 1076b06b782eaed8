"""Net types of DeepLabCut: the configs that it would write, key for key."""

from __future__ import annotations

from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask

_CHANNELS = 2048
_LOCREF_STD = 7.2801
_DISTANCE = 17


class _ResNet(NetType):
    """A ResNet with output stride 16 and one doubling layer: heatmaps at stride 8."""

    stride: ClassVar[float] = 8
    name: ClassVar[str]
    model_name: ClassVar[str]

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
        heads = {"bodypart": _heatmap_head(task.num_keypoints)}
        if task.unique_keypoints:
            unique = _heatmap_head(len(task.unique_keypoints))
            unique["target_generator"]["label_keypoint_key"] = "keypoints_unique"
            heads["unique_bodypart"] = unique
        return {
            "net_type": self.name,
            "method": "bu",
            "model": {
                "backbone": {
                    "type": "ResNet",
                    "model_name": self.model_name,
                    "output_stride": 16,
                    "freeze_bn_stats": False,
                    "freeze_bn_weights": False,
                },
                "heads": heads,
                "backbone_output_channels": _CHANNELS,
            },
            "data": {
                "inference": {"normalize_images": True},
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
                    "normalize_images": True,
                },
            },
            "runner": {
                "optimizer": {"type": "AdamW", "params": {"lr": 5e-4}},
                "scheduler": {
                    "type": "LRListScheduler",
                    "params": {"lr_list": [[1e-4], [1e-5]], "milestones": [90, 120]},
                },
            },
        }


class ResNet50(_ResNet):
    """ResNet-50 with group norm, DeepLabCut's default."""

    name = "resnet_50"
    model_name = "resnet50_gn"
    parameters: ClassVar[float] = 23.5
    gflops: ClassVar[float] = 8.1


class ResNet101(_ResNet):
    """ResNet-101 with batch norm."""

    name = "resnet_101"
    model_name = "resnet101"
    parameters: ClassVar[float] = 42.5
    gflops: ClassVar[float] = 13.0


def _heatmap_head(num_keypoints: int) -> dict[str, Any]:
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
        "heatmap_config": {"channels": [_CHANNELS, num_keypoints], **layer},
        "locref_config": {"channels": [_CHANNELS, 2 * num_keypoints], **layer},
    }
