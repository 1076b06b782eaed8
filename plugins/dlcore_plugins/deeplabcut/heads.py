"""The heads of DeepLabCut's bottom-up net types, as it writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlcore.interfaces import PoseTask
from dlcore_plugins.deeplabcut.paf_graph import paf_graph

LOCREF_STD = 7.2801
"""Pixels that an offset of 1 stands for."""

DISTANCE = 17
"""Radius in pixels around a keypoint within which it is found."""

_LIMB_WIDTH = 20
_STAGES = 5


def heatmap_head(channels: int, num_keypoints: int) -> dict[str, Any]:
    """One doubling layer to heatmaps and to offsets within a cell: one pose per image."""
    return {
        "type": "HeatmapHead",
        "weight_init": "normal",
        "predictor": {
            "type": "HeatmapPredictor",
            "apply_sigmoid": False,
            "clip_scores": True,
            "location_refinement": True,
            "locref_std": LOCREF_STD,
        },
        "target_generator": {
            "type": "HeatmapGaussianGenerator",
            "num_heatmaps": num_keypoints,
            "pos_dist_thresh": DISTANCE,
            "heatmap_mode": "KEYPOINT",
            "gradient_masking": False,
            "generate_locref": True,
            "locref_std": LOCREF_STD,
        },
        "criterion": {
            "heatmap": {"type": "WeightedMSECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
        },
        "heatmap_config": _doubling([channels], num_keypoints),
        "locref_config": _doubling([channels], 2 * num_keypoints),
    }


def further_heads(channels: int, task: PoseTask) -> dict[str, Any]:
    """The heads besides `bodypart`: for unique bodyparts, and for who is who among several."""
    heads = {}
    if task.unique_keypoints:
        heads["unique_bodypart"] = heatmap_head(channels, len(task.unique_keypoints))
        heads["unique_bodypart"]["target_generator"]["label_keypoint_key"] = "keypoints_unique"
    if task.with_identity and task.num_individuals > 1:
        heads["identity"] = _identity_head(channels, task.num_individuals)
    return heads


def paf_head(channels: Sequence[int], task: PoseTask) -> dict[str, Any]:
    """Heatmaps, offsets and part affinity fields: several poses per image.

    Args:
        channels: Of the features and of what each doubling layer but the last gives.
        task: What is to be found.

    Raises:
        DlcoreError: If the individuals have a single keypoint.
    """
    keypoints = task.num_keypoints
    graph = paf_graph(task)
    return {
        "type": "DLCRNetHead",
        "predictor": {
            "type": "PartAffinityFieldPredictor",
            "num_animals": task.num_individuals,
            "num_multibodyparts": keypoints,
            "num_uniquebodyparts": 0,
            "nms_radius": 5,
            "sigma": 1.0,
            "locref_stdev": LOCREF_STD,
            "min_affinity": 0.05,
            "graph": graph,
            "edges_to_keep": list(range(len(graph))),
            "apply_sigmoid": True,
            "clip_scores": False,
        },
        "target_generator": {
            "type": "SequentialGenerator",
            "generators": [
                {
                    "type": "HeatmapPlateauGenerator",
                    "num_heatmaps": keypoints,
                    "pos_dist_thresh": DISTANCE,
                    "heatmap_mode": "KEYPOINT",
                    "gradient_masking": False,
                    "generate_locref": True,
                    "locref_std": LOCREF_STD,
                },
                {
                    "type": "PartAffinityFieldGenerator",
                    "graph": [list(edge) for edge in graph],
                    "width": _LIMB_WIDTH,
                },
            ],
        },
        "criterion": {
            "heatmap": {"type": "WeightedBCECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
            "paf": {"type": "WeightedHuberCriterion", "weight": 0.1},
        },
        "heatmap_config": _doubling(channels, keypoints),
        "locref_config": _doubling(channels, 2 * keypoints),
        "paf_config": _doubling(channels, 2 * len(graph)),
        "num_stages": _STAGES,
    }


def _identity_head(channels: int, num_individuals: int) -> dict[str, Any]:
    """One doubling layer to a map for each individual, of who is where."""
    return {
        "type": "HeatmapHead",
        "predictor": {"type": "IdentityPredictor", "apply_sigmoid": True},
        "target_generator": {
            "type": "HeatmapPlateauGenerator",
            "num_heatmaps": num_individuals,
            "pos_dist_thresh": DISTANCE,
            "heatmap_mode": "INDIVIDUAL",
            "gradient_masking": False,
            "generate_locref": False,
        },
        "criterion": {"heatmap": {"type": "WeightedBCECriterion", "weight": 1.0}},
        "heatmap_config": _doubling([channels], num_individuals),
    }


def _doubling(channels: Sequence[int], maps: int) -> dict[str, Any]:
    """Layers that each double the resolution."""
    layers = len(channels)
    return {
        "channels": [*channels, maps],
        "kernel_size": [3] * layers,
        "strides": [2] * layers,
    }
