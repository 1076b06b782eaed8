"""What the SimCC plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl

_PACKAGE = "dlcore_plugins.simcc"


@hookimpl
def register_heads() -> list[Component]:
    return [
        Component(
            "RTMCCHead",
            f"{_PACKAGE}.head:RTMCCHead",
            summary="RTMPose's head: bins along x and y for each keypoint, with attention.",
        ),
    ]


@hookimpl
def register_target_generators() -> list[Component]:
    return [
        Component(
            "SimCCGenerator",
            f"{_PACKAGE}.targets:SimCCGenerator",
            summary="Rows of bins along x and y with a peak at each keypoint.",
        ),
    ]


@hookimpl
def register_criteria() -> list[Component]:
    return [
        Component(
            "KLDiscreteLoss",
            f"{_PACKAGE}.criterion:KLDiscreteLoss",
            summary="Kullback-Leibler divergence of distributions over bins.",
        ),
    ]


@hookimpl
def register_predictors() -> list[Component]:
    return [
        Component(
            "SimCCPredictor",
            f"{_PACKAGE}.predictor:SimCCPredictor",
            summary="One pose per image: the best bin along x and along y.",
        ),
    ]


@hookimpl
def register_weight_initializers() -> list[Component]:
    return [
        Component(
            "Rtmpose",
            f"{_PACKAGE}.initializer:Rtmpose",
            summary="Small random weights, biases of 0, neutral norms.",
        ),
    ]
