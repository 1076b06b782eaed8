"""What happens to images before DeepLabCut's net types see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOTHING: Mapping[str, Any] = {}


def whole_images(train: Mapping[str, Any], inference: Mapping[str, Any]) -> dict[str, Any]:
    """The section `data` of a bottom-up net type.

    Args:
        train: Further transforms in training.
        inference: Transforms in evaluation and prediction.
    """
    return {
        "inference": {**inference, "normalize_images": True},
        "train": {
            "affine": {"p": 0.5, "rotation": 30, "scaling": [0.5, 1.25], "translation": 0},
            "crop_sampling": {
                "width": 448,
                "height": 448,
                "max_shift": 0.1,
                "method": "hybrid",
            },
            "motion_blur": True,
            "gaussian_noise": 12.75,
            **train,
            "normalize_images": True,
        },
    }


def crops(
    size: tuple[int, int],
    *,
    train: Mapping[str, Any] = _NOTHING,
    inference: Mapping[str, Any] = _NOTHING,
    **how: Any,
) -> dict[str, Any]:
    """The section `data` of a net type that sees one individual at a time.

    Args:
        size: (width, height) of the crops in pixels.
        train: Further transforms in training.
        inference: Transforms in evaluation and prediction.
        how: Further options of the crops.
    """
    width, height = size
    crop = {"width": width, "height": height, **how}
    return {
        "inference": {**inference, "normalize_images": True, "top_down_crop": crop},
        "train": {
            "affine": {"p": 0.5, "rotation": 30, "scaling": [1.0, 1.0], "translation": 0},
            "motion_blur": True,
            "gaussian_noise": 12.75,
            **train,
            "normalize_images": True,
            "top_down_crop": crop,
        },
    }
