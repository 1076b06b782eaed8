"""What the tracking plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_trackers() -> list[Component]:
    return [
        Component(
            "oks",
            "dlcore_plugins.tracking.oks:OKSTracker",
            summary="By the similarity of the keypoints (OKS) to where they are expected to be.",
        ),
    ]
