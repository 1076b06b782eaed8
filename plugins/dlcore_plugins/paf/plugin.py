"""What the plugin for part affinity fields offers. Imports dlcore only."""

from __future__ import annotations

from dlcore import Component, hookimpl

_PACKAGE = "dlcore_plugins.paf"


@hookimpl
def register_heads() -> list[Component]:
    return [
        Component(
            "DLCRNetHead",
            f"{_PACKAGE}.head:DLCRNetHead",
            summary="Heatmaps, offsets and part affinity fields, refined in stages.",
        ),
    ]


@hookimpl
def register_target_generators() -> list[Component]:
    return [
        Component(
            "PartAffinityFieldGenerator",
            f"{_PACKAGE}.targets:PartAffinityFieldGenerator",
            summary="Vectors along each limb, strongest on the line between its ends.",
        ),
        Component(
            "SequentialGenerator",
            f"{_PACKAGE}.targets:SequentialGenerator",
            summary="Several generators for the outputs of one head.",
        ),
    ]


@hookimpl
def register_predictors() -> list[Component]:
    return [
        Component(
            "PartAffinityFieldPredictor",
            f"{_PACKAGE}.predictor:PartAffinityFieldPredictor",
            summary="Individuals put together from peaks and the fields between them.",
        ),
    ]
