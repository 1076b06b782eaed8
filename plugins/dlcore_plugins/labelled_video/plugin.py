"""What the labelled-video plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_prediction_writers() -> list[Component]:
    return [
        Component(
            "labelled_video",
            "dlcore_plugins.labelled_video.writer:LabelledVideoWriter",
            summary="An mp4 with the keypoints drawn in.",
            extra="av",
        ),
    ]
