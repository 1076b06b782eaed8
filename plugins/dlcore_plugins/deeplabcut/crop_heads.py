"""The heads of DeepLabCut's net types that see one individual at a time, as it writes them."""

from __future__ import annotations

import math
from typing import Any

from dlcore_plugins.deeplabcut.heads import DISTANCE, heatmap_head

SIMCC_STRIDE = 32
"""Pixels per cell of the map that the SimCC head reads: that of a CSPNeXt."""

_BINS_PER_PIXEL = 2.0
_SIMCC_SIGMAS = {256: 5.66, 288: 6.0, 384: 6.93}
"""Sigma in bins for each side in pixels that a net type has."""


def plain_heatmap_head(channels: int, num_keypoints: int) -> dict[str, Any]:
    """Heatmaps and offsets at the resolution of the backbone."""
    head = heatmap_head(channels, num_keypoints)
    head["heatmap_config"] = _weighted_sum(channels, num_keypoints)
    head["locref_config"] = _weighted_sum(channels, 2 * num_keypoints)
    return head


def masked_heatmap_head(channels: int, num_keypoints: int) -> dict[str, Any]:
    """The same; keypoints that are not labelled, and what is far from the others, teach nothing."""
    head = plain_heatmap_head(channels, num_keypoints)
    head["target_generator"] |= {"gradient_masking": True, "background_weight": 0.0}
    return head


def simcc_head(channels: int, num_keypoints: int, size: tuple[int, int]) -> dict[str, Any]:
    """Columns and rows apart: each keypoint is the best bin of two.

    Args:
        channels: Of the features.
        num_keypoints: How many keypoints there are.
        size: (width, height) of the crops in pixels.
    """
    input_size = list(size)
    sigma = [_SIMCC_SIGMAS[side] for side in size]
    criterion = {
        "type": "KLDiscreteLoss",
        "use_target_weight": True,
        "beta": 10.0,
        "label_softmax": True,
    }
    return {
        "type": "RTMCCHead",
        "weight_init": "RTMPose",
        "target_generator": {
            "type": "SimCCGenerator",
            "input_size": input_size,
            "smoothing_type": "gaussian",
            "sigma": sigma,
            "simcc_split_ratio": _BINS_PER_PIXEL,
            "label_smooth_weight": 0.0,
            "normalize": False,
        },
        "criterion": {"x": criterion, "y": criterion},
        "predictor": {
            "type": "SimCCPredictor",
            "simcc_split_ratio": _BINS_PER_PIXEL,
            "sigma": sigma,
            "decode_beta": 150.0,
            "apply_softmax": True,
            "normalize_outputs": False,
        },
        "input_size": input_size,
        "in_channels": channels,
        "out_channels": num_keypoints,
        "in_featuremap_size": [side // SIMCC_STRIDE for side in size],
        "simcc_split_ratio": _BINS_PER_PIXEL,
        "final_layer_kernel_size": 7,
        "gau_cfg": {
            "hidden_dims": 256,
            "s": 128,
            "expansion_factor": 2,
            "dropout_rate": 0,
            "drop_path": 0.0,
            "act_fn": "SiLU",
            "use_rel_bias": False,
            "pos_enc": False,
        },
    }


def token_head(num_keypoints: int, dim: int, heatmap_size: tuple[int, int]) -> dict[str, Any]:
    """A heatmap from each keypoint's token.

    Args:
        num_keypoints: How many keypoints there are.
        dim: Of the tokens.
        heatmap_size: (height, width) in cells.
    """
    return {
        "type": "TransformerHead",
        "target_generator": {
            "type": "HeatmapPlateauGenerator",
            "num_heatmaps": num_keypoints,
            "pos_dist_thresh": DISTANCE,
            "heatmap_mode": "KEYPOINT",
            "generate_locref": False,
        },
        "criterion": {"type": "WeightedBCECriterion"},
        "predictor": {"type": "HeatmapPredictor", "location_refinement": False},
        "dim": dim,
        "hidden_heatmap_dim": 2 * dim,
        "heatmap_dim": math.prod(heatmap_size),
        "apply_multi": True,
        "heatmap_size": list(heatmap_size),
        "apply_init": True,
        "head_stride": 1,
    }


def _weighted_sum(channels: int, maps: int) -> dict[str, Any]:
    """One layer that looks at each cell by itself."""
    return {
        "channels": [channels],
        "kernel_size": [],
        "strides": [],
        "final_conv": {"out_channels": maps, "kernel_size": 1},
    }
