"""What the heatmap plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl

_PACKAGE = "dlcore_plugins.heatmap"


@hookimpl
def register_heads() -> list[Component]:
    return [
        Component(
            "HeatmapHead",
            f"{_PACKAGE}.head:HeatmapHead",
            summary="One map per keypoint and, if wanted, offsets that refine its place.",
        ),
    ]


@hookimpl
def register_target_generators() -> list[Component]:
    return [
        Component(
            "HeatmapGaussianGenerator",
            f"{_PACKAGE}.targets:HeatmapGaussianGenerator",
            summary="Heatmaps that fall off from each keypoint as a Gaussian.",
        ),
        Component(
            "HeatmapPlateauGenerator",
            f"{_PACKAGE}.targets:HeatmapPlateauGenerator",
            summary="Heatmaps that are 1 in a disc around each keypoint and 0 elsewhere.",
        ),
    ]


@hookimpl
def register_criteria() -> list[Component]:
    return [
        Component(
            "WeightedMSECriterion",
            f"{_PACKAGE}.criteria:WeightedMSECriterion",
            summary="Squared error, averaged over the cells that count.",
        ),
        Component(
            "WeightedHuberCriterion",
            f"{_PACKAGE}.criteria:WeightedHuberCriterion",
            summary="Huber loss (delta 1), averaged over the cells that count.",
        ),
        Component(
            "WeightedBCECriterion",
            f"{_PACKAGE}.criteria:WeightedBCECriterion",
            summary="Binary cross-entropy of logits, averaged over the cells that count.",
        ),
    ]


@hookimpl
def register_predictors() -> list[Component]:
    return [
        Component(
            "HeatmapPredictor",
            f"{_PACKAGE}.predictor:HeatmapPredictor",
            summary="One pose per image: the best cell of each map, refined by its offset.",
        ),
        Component(
            "IdentityPredictor",
            f"{_PACKAGE}.predictor:IdentityPredictor",
            summary="Maps of who is where, enlarged to the size of the image.",
        ),
    ]


@hookimpl
def register_weight_initializers() -> list[Component]:
    return [
        Component(
            "Normal",
            f"{_PACKAGE}.initializer:Normal",
            summary="Small normally distributed weights, biases of 0.",
        ),
    ]
