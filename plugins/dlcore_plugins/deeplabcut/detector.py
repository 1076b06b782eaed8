"""The detector of DeepLabCut's top-down net types, and how it is trained."""

from __future__ import annotations

from typing import Any


def detector_section() -> dict[str, Any]:
    """The section `detector` of a config."""
    return {
        "model": {
            "type": "SSDLite",
            "freeze_bn_stats": True,
            "freeze_bn_weights": False,
            "box_score_thresh": 0.01,
        },
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
        "runner": {
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-4}},
            "scheduler": {
                "type": "LRListScheduler",
                "params": {"lr_list": [[1e-5]], "milestones": [160]},
            },
        },
        "train_settings": {"batch_size": 16, "epochs": 250},
    }
