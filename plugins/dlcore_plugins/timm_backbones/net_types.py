"""Ready-made architectures on timm backbones."""

from __future__ import annotations

from typing import Any, ClassVar

from dlcore import DlcoreError
from dlcore.interfaces import NetType, PoseTask

_LOCREF_STD = 7.2801
_DISTANCE = 17


class LightEfficientNet(NetType):
    """EfficientNet-Lite0 up to stride 16 and one doubling layer: heatmaps at stride 8.

    Made for training on a CPU and for fast videos: a twentieth of the multiplications of
    `resnet_50`. For a more powerful network change `out_indices` or `model_name`; channels follow.
    """

    stride: ClassVar[float] = 8
    parameters: ClassVar[float] = 0.7
    gflops: ClassVar[float] = 0.32

    def config(self, task: PoseTask) -> dict[str, Any]:
        """The config for one individual per image.

        Raises:
            DlcoreError: If there are several individuals.
        """
        if task.num_individuals > 1:
            raise DlcoreError(
                f"net type 'light_efficientnet' finds one individual per image, not "
                f"{task.num_individuals}; choose another net type (see `dlcore list net_types`)"
            )
        heads = {"bodypart": _heatmap_head("num_bodyparts", "num_bodyparts x 2")}
        if task.unique_keypoints:
            count = len(task.unique_keypoints)
            unique = _heatmap_head(count, 2 * count)
            unique["target_generator"]["label_keypoint_key"] = "keypoints_unique"
            heads["unique_bodypart"] = unique
        return {
            "net_type": "light_efficientnet",
            "method": "bu",
            "model": {
                "backbone": {
                    "type": "TimmBackbone",
                    "model_name": "tf_efficientnet_lite0",
                    "out_indices": [3],
                },
                "heads": heads,
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
                        "width": 384,
                        "height": 384,
                        "max_shift": 0.1,
                        "method": "hybrid",
                    },
                    "gaussian_noise": 12.75,
                    "normalize_images": True,
                },
            },
            "runner": {
                "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
                "scheduler": {
                    "type": "LRListScheduler",
                    "params": {"lr_list": [[1e-4], [1e-5]], "milestones": [140, 180]},
                },
            },
        }


def _heatmap_head(maps: int | str, offsets: int | str) -> dict[str, Any]:
    """One doubling layer to heatmaps and to offsets within a cell; discs as targets."""
    layer = {"kernel_size": [3], "strides": [2]}
    return {
        "type": "HeatmapHead",
        "weight_init": "normal",
        "predictor": {
            "type": "HeatmapPredictor",
            "apply_sigmoid": True,
            "clip_scores": False,
            "location_refinement": True,
            "locref_std": _LOCREF_STD,
        },
        "target_generator": {
            "type": "HeatmapPlateauGenerator",
            "num_heatmaps": maps,
            "pos_dist_thresh": _DISTANCE,
            "heatmap_mode": "KEYPOINT",
            "gradient_masking": False,
            "generate_locref": True,
            "locref_std": _LOCREF_STD,
        },
        "criterion": {
            "heatmap": {"type": "WeightedBCECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
        },
        "heatmap_config": {"channels": ["backbone_output_channels", maps], **layer},
        "locref_config": {"channels": ["backbone_output_channels", offsets], **layer},
    }
