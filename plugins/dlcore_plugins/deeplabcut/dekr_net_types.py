"""The net types of DeepLabCut that find individuals by their centres (DEKR)."""

from __future__ import annotations

from typing import Any, ClassVar

from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.deeplabcut.heads import identity_head, unique_head

_DISTANCE = 17
_OFFSET_CHANNELS = 15


class _Dekr(NetType):
    """HRNet with all four maps joined at stride 4, and a DEKR head.

    For one or several individuals per image, with unique bodyparts and identities if there are any.

    Attributes:
        name: What users write.
        width: Channels of the finest map of the HRNet.
    """

    approach: ClassVar[str] = "bottom-up"
    stride: ClassVar[float] = 4
    name: ClassVar[str]
    width: ClassVar[int]

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals."""
        channels = 15 * self.width  # branches of 1, 2, 4 and 8 times the width
        heads = {"bodypart": _dekr_head(channels, self.width, task)}
        if task.unique_keypoints:
            heads["unique_bodypart"] = unique_head(channels, len(task.unique_keypoints))
        if task.with_identity:
            heads["identity"] = identity_head(channels, task.num_individuals)
        return {
            "net_type": self.name,
            "method": "bu",
            "with_center_keypoints": True,
            "model": {
                "backbone": {
                    "type": "HRNet",
                    "model_name": f"hrnet_w{self.width}",
                    "freeze_bn_stats": False,
                    "freeze_bn_weights": False,
                    "interpolate_branches": True,
                    "increased_channel_count": False,
                },
                "heads": heads,
                "backbone_output_channels": channels,
            },
            "data": {
                "inference": {
                    "auto_padding": {"pad_width_divisor": 32, "pad_height_divisor": 32},
                    "normalize_images": True,
                },
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


class DekrW18(_Dekr):
    """DEKR on the HRNet with 18 channels; parameters and cost are with six keypoints."""

    name = "dekr_w18"
    width = 18
    parameters: ClassVar[float] = 9.6
    gflops: ClassVar[float] = 4.6


class DekrW32(_Dekr):
    """DEKR on the HRNet with 32 channels; parameters and cost are with six keypoints."""

    name = "dekr_w32"
    width = 32
    parameters: ClassVar[float] = 29.4
    gflops: ClassVar[float] = 10.8


class DekrW48(_Dekr):
    """DEKR on the HRNet with 48 channels; parameters and cost are with six keypoints."""

    name = "dekr_w48"
    width = 48
    parameters: ClassVar[float] = 65.5
    gflops: ClassVar[float] = 21.9


def _dekr_head(channels: int, width: int, task: PoseTask) -> dict[str, Any]:
    keypoints = task.num_keypoints
    return {
        "type": "DEKRHead",
        "weight_init": "dekr",
        "target_generator": {
            "type": "DEKRGenerator",
            "num_joints": keypoints,
            "pos_dist_thresh": _DISTANCE,
            "bg_weight": 0.1,
        },
        "criterion": {
            "heatmap": {"type": "DEKRHeatmapLoss", "weight": 1},
            "offset": {"type": "DEKROffsetLoss", "weight": 0.03},
        },
        "predictor": {
            "type": "DEKRPredictor",
            "apply_sigmoid": False,
            "use_heatmap": False,
            "clip_scores": True,
            "num_animals": task.num_individuals,
            "keypoint_score_type": "combined",
            "max_absorb_distance": 75,
            "nms_threshold": 0.05,
            "apply_pose_nms": True,
        },
        "heatmap_config": {
            "channels": [channels, width, keypoints + 1],
            "num_blocks": 1,
            "dilation_rate": 1,
            "final_conv_kernel": 1,
        },
        "offset_config": {
            "channels": [channels, keypoints * _OFFSET_CHANNELS, keypoints],
            "num_offset_per_kpt": _OFFSET_CHANNELS,
            "num_blocks": 2,
            "dilation_rate": 1,
            "final_conv_kernel": 1,
        },
    }
