"""What the engine itself offers, found through an entry point like any plugin."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_runners() -> list[Component]:
    return [
        Component(
            "PoseTrainingRunner",
            "dlcore.engine.pose_runner:PoseTrainingRunner",
            summary="Trains and evaluates a pose model.",
        ),
        Component(
            "DetectorTrainingRunner",
            "dlcore.engine.detector_runner:DetectorTrainingRunner",
            summary="Trains and evaluates a detector.",
        ),
    ]
