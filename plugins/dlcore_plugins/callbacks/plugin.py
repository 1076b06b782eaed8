"""What the callbacks plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_callbacks() -> list[Component]:
    return [
        Component(
            "EarlyStopping",
            "dlcore_plugins.callbacks.early_stopping:EarlyStopping",
            summary="Ends a run when a metric has not improved for a while.",
        ),
        Component(
            "ExponentialMovingAverage",
            "dlcore_plugins.callbacks.moving_average:ExponentialMovingAverage",
            summary="Averages the weights over time; evaluates and keeps them beside the raw ones.",
        ),
        Component(
            "FreezeBackbone",
            "dlcore_plugins.callbacks.freeze_backbone:FreezeBackbone",
            summary="Trains the heads alone at first, then the whole model.",
        ),
        Component(
            "LearningRateFinder",
            "dlcore_plugins.callbacks.learning_rate_finder:LearningRateFinder",
            summary="Tries learning rates before the first epoch and suggests one.",
        ),
        Component(
            "SamplePictures",
            "dlcore_plugins.callbacks.sample_pictures:SamplePictures",
            summary="Saves pictures of truth and prediction every few epochs.",
        ),
    ]
