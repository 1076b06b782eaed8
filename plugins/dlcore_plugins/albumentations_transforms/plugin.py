"""Hooks of the bundled transforms and collates."""

from __future__ import annotations

from dlcore import Component, hookimpl

_HERE = "dlcore_plugins.albumentations_transforms"


@hookimpl
def register_transforms() -> list[Component]:
    return [
        Component("resize", f"{_HERE}.resizing:Resize", "Resizes to a height and a width."),
        Component(
            "longest_max_size",
            f"{_HERE}.resizing:LongestMaxSize",
            "Resizes so that the longest side has a given length.",
        ),
        Component(
            "hflip",
            f"{_HERE}.flip:HorizontalFlip",
            "Mirrors left and right, and swaps the keypoints that mirror each other.",
        ),
        Component("affine", f"{_HERE}.affine:Affine", "Scales, rotates and moves."),
        Component(
            "scale_jitter",
            f"{_HERE}.affine:ScaleJitter",
            "Scales about the centre (a key of older files; affine does more).",
        ),
        Component(
            "random_bbox_transform",
            f"{_HERE}.boxes:RandomBoxTransform",
            "Moves and scales boxes, not the image.",
        ),
        Component(
            "crop_sampling",
            f"{_HERE}.crop:CropSampling",
            "Cuts out a window of fixed size, more often where keypoints are.",
        ),
        Component("hist_eq", f"{_HERE}.colour:HistogramEqualization", "Equalises the histogram."),
        Component("motion_blur", f"{_HERE}.colour:MotionBlur", "Blurs along a line."),
        Component(
            "covering", f"{_HERE}.covering:Covering", "Covers the image with ten black patches."
        ),
        Component(
            "elastic_transform", f"{_HERE}.elastic:ElasticTransform", "Wobbles the image smoothly."
        ),
        Component("grayscale", f"{_HERE}.colour:Grayscale", "Takes colour out, wholly or partly."),
        Component("gaussian_noise", f"{_HERE}.noise:GaussianNoise", "Adds Gaussian noise."),
        Component(
            "auto_padding",
            f"{_HERE}.padding:AutoPadding",
            "Pads so that height and width are multiples of a number.",
        ),
    ]


@hookimpl
def register_collates() -> list[Component]:
    return [
        Component(
            "ResizeFromDataSizeCollate",
            f"{_HERE}.collates:ResizeFromDataSizeCollate",
            "Crops a batch to a random scale of its first image.",
        ),
        Component(
            "ResizeFromListCollate",
            f"{_HERE}.collates:ResizeFromListCollate",
            "Crops a batch to a size drawn from a list.",
        ),
    ]
