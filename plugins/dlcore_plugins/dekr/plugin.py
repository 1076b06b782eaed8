"""What the DEKR plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl

_PACKAGE = "dlcore_plugins.dekr"


@hookimpl
def register_heads() -> list[Component]:
    return [
        Component(
            "DEKRHead",
            f"{_PACKAGE}.head:DEKRHead",
            summary="Maps of keypoints and centres, and offsets from each centre to its keypoints.",
        ),
    ]


@hookimpl
def register_target_generators() -> list[Component]:
    return [
        Component(
            "DEKRGenerator",
            f"{_PACKAGE}.targets:DEKRGenerator",
            summary="Gaussians at keypoints and centres, offsets around each centre.",
        ),
    ]


@hookimpl
def register_criteria() -> list[Component]:
    return [
        Component(
            "DEKRHeatmapLoss",
            f"{_PACKAGE}.criteria:DEKRHeatmapLoss",
            summary="Weighted squared error, averaged over all cells.",
        ),
        Component(
            "DEKROffsetLoss",
            f"{_PACKAGE}.criteria:DEKROffsetLoss",
            summary="Weighted smooth L1 error, averaged over the cells that count.",
        ),
    ]


@hookimpl
def register_predictors() -> list[Component]:
    return [
        Component(
            "DEKRPredictor",
            f"{_PACKAGE}.predictor:DEKRPredictor",
            summary="The best centres with their keypoints, without poses that lie on better ones.",
        ),
    ]


@hookimpl
def register_weight_initializers() -> list[Component]:
    return [
        Component(
            "Dekr",
            f"{_PACKAGE}.initializer:Dekr",
            summary="Small random convolutions; adaptive blocks that do not adapt yet.",
        ),
    ]
