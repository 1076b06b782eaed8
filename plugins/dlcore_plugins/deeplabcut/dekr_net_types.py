"""The net types of DeepLabCut that find individuals by their centres (DEKR)."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from dlcore.interfaces import NetType, PoseTask
from dlcore_plugins.deeplabcut.augmentation import whole_images
from dlcore_plugins.deeplabcut.backbones import FAST, MULTIPLES_OF_32, hrnet_block
from dlcore_plugins.deeplabcut.heads import DISTANCE, further_heads

_OFFSET_CHANNELS = 15


class _Dekr(NetType):
    """HRNet with all four maps joined at stride 4, and a DEKR head.

    For one or several individuals per image, with unique bodyparts and identities if there are any.

    Attributes:
        name: What users write.
        width: Channels of the finest map of the HRNet.
    """

    stride: ClassVar[float] = 4
    name: ClassVar[str]
    width: ClassVar[int]

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for these keypoints and individuals."""
        channels = 15 * self.width  # branches of 1, 2, 4 and 8 times the width
        config = {
            "net_type": self.name,
            "method": "bu",
            "with_center_keypoints": True,
            "model": {
                "backbone": hrnet_block(self.width, interpolate_branches=True),
                "heads": {
                    "bodypart": _dekr_head(channels, self.width, task),
                    **further_heads(channels, task),
                },
                "backbone_output_channels": channels,
            },
            "data": whole_images({}, MULTIPLES_OF_32),
            "runner": FAST,
        }
        return copy.deepcopy(config)


class DekrW18(_Dekr):
    """DEKR on the HRNet with 18 channels."""

    name = "dekr_w18"
    width = 18
    parameters: ClassVar[float] = 9.6
    gflops: ClassVar[float] = 4.6


class DekrW32(_Dekr):
    """DEKR on the HRNet with 32 channels."""

    name = "dekr_w32"
    width = 32
    parameters: ClassVar[float] = 29.4
    gflops: ClassVar[float] = 10.8


class DekrW48(_Dekr):
    """DEKR on the HRNet with 48 channels."""

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
            "pos_dist_thresh": DISTANCE,
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
