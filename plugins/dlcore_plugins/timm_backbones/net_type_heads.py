"""The heads of the net types, as blocks of a config.

Channels are written as placeholders, so that another backbone can be put in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

_LOCREF_STD = 7.2801
_DISTANCE = 17  # pixels
_LIMB_WIDTH = 20  # pixels
_SIMCC_SIGMA = 5.66  # bins
_SIMCC_BINS = 2.0  # per pixel


class Layers(NamedTuple):
    """Transposed convolutions from features to maps.

    Attributes:
        kernel_size: Side of the kernel of each.
        strides: How many times finer each makes the map.
        hidden: Channels between them.
    """

    kernel_size: Sequence[int]
    strides: Sequence[int]
    hidden: Sequence[int] = ()

    @property
    def weight_init(self) -> dict[str, Any]:
        """What a head says of its first weights: small ones, but not in one layer on another."""
        return {} if self.hidden else {"weight_init": "normal"}

    def block(self, maps: int | str) -> dict[str, Any]:
        """The layers that end in so many maps."""
        return {
            "channels": ["backbone_output_channels", *self.hidden, maps],
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
        }


def heatmap_head(layers: Layers, maps: int | str, offsets: int | str) -> dict[str, Any]:
    """Heatmaps and offsets within a cell; discs as targets. One pose per image."""
    return {
        "type": "HeatmapHead",
        **layers.weight_init,
        "predictor": {
            "type": "HeatmapPredictor",
            "apply_sigmoid": True,
            "clip_scores": False,
            "location_refinement": True,
            "locref_std": _LOCREF_STD,
        },
        "target_generator": _discs(maps),
        "criterion": {
            "heatmap": {"type": "WeightedBCECriterion", "weight": 1.0},
            "locref": {"type": "WeightedHuberCriterion", "weight": 0.05},
        },
        "heatmap_config": layers.block(maps),
        "locref_config": layers.block(offsets),
    }


def unique_head(layers: Layers, count: int) -> dict[str, Any]:
    """The same for keypoints that exist once per image."""
    head = heatmap_head(layers, count, 2 * count)
    head["target_generator"]["label_keypoint_key"] = "keypoints_unique"
    return head


def identity_head(layers: Layers) -> dict[str, Any]:
    """A map for each individual, of who is where."""
    return {
        "type": "HeatmapHead",
        **layers.weight_init,
        "predictor": {"type": "IdentityPredictor", "apply_sigmoid": True},
        "target_generator": {
            "type": "HeatmapPlateauGenerator",
            "num_heatmaps": "num_individuals",
            "pos_dist_thresh": _DISTANCE,
            "heatmap_mode": "INDIVIDUAL",
            "gradient_masking": False,
            "generate_locref": False,
        },
        "criterion": {"heatmap": {"type": "WeightedBCECriterion", "weight": 1.0}},
        "heatmap_config": layers.block("num_individuals"),
    }


def limb_head(layers: Layers, graph: list[list[int]], *, nms_radius: int) -> dict[str, Any]:
    """Heatmaps, offsets and part affinity fields: several poses per image.

    Args:
        layers: From the features to the maps.
        graph: The pairs of keypoints that are limbs.
        nms_radius: Side in cells of the window in which there is one keypoint of a kind.
    """
    return {
        "type": "DLCRNetHead",
        **layers.weight_init,
        "predictor": {
            "type": "PartAffinityFieldPredictor",
            "graph": graph,
            "edges_to_keep": list(range(len(graph))),
            "locref_stdev": _LOCREF_STD,
            "nms_radius": nms_radius,
            "sigma": 1.0,
            "min_affinity": 0.05,
            "apply_sigmoid": True,
            "clip_scores": False,
        },
        "target_generator": {
            "type": "SequentialGenerator",
            "generators": [
                _discs("num_bodyparts"),
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
        "heatmap_config": layers.block("num_bodyparts"),
        "locref_config": layers.block("num_bodyparts x 2"),
        "paf_config": layers.block(2 * len(graph)),
        "num_stages": 0,
    }


def simcc_head(size: Sequence[int]) -> dict[str, Any]:
    """Bins along x and y: one pose in each crop of (width, height) pixels."""
    loss = {
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
            "input_size": list(size),
            "smoothing_type": "gaussian",
            "sigma": [_SIMCC_SIGMA, _SIMCC_SIGMA],
            "simcc_split_ratio": _SIMCC_BINS,
            "label_smooth_weight": 0.0,
            "normalize": False,
        },
        "criterion": {"x": loss, "y": dict(loss)},
        "predictor": {
            "type": "SimCCPredictor",
            "simcc_split_ratio": _SIMCC_BINS,
            "sigma": [_SIMCC_SIGMA, _SIMCC_SIGMA],
            "decode_beta": 150.0,
        },
        "input_size": list(size),
        "out_channels": "num_bodyparts",
        "simcc_split_ratio": _SIMCC_BINS,
        "final_layer_kernel_size": 7,
        "gau_cfg": {"hidden_dims": 256, "s": 128},
    }


def _discs(maps: int | str) -> dict[str, Any]:
    return {
        "type": "HeatmapPlateauGenerator",
        "num_heatmaps": maps,
        "pos_dist_thresh": _DISTANCE,
        "heatmap_mode": "KEYPOINT",
        "gradient_masking": False,
        "generate_locref": True,
        "locref_std": _LOCREF_STD,
    }
