"""What the COCO plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_datasets() -> list[Component]:
    return [
        Component(
            "COCOLoader",
            "dlcore_plugins.coco.dataset:COCOLoader",
            summary="Keypoints in COCO's JSON format, one file per split, beside their images.",
        ),
    ]


@hookimpl
def register_prediction_writers() -> list[Component]:
    return [
        Component(
            "coco",
            "dlcore_plugins.coco.results:COCOResultsWriter",
            summary="A list of results in COCO's JSON format.",
        ),
    ]
