"""What the loggers plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_loggers() -> list[Component]:
    return [
        Component(
            "CSVLogger",
            "dlcore_plugins.loggers.csv_logger:CSVLogger",
            summary="Writes learning_stats.csv, as DeepLabCut does: one row per epoch.",
        ),
        Component(
            "WandbLogger",
            "dlcore_plugins.loggers.wandb_logger:WandbLogger",
            summary="Sends the numbers and pictures of a run to Weights & Biases.",
        ),
        Component(
            "TensorBoardLogger",
            "dlcore_plugins.loggers.tensorboard_logger:TensorBoardLogger",
            summary="Writes the numbers and pictures of a run for TensorBoard.",
        ),
    ]
