"""What the feature pyramid plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_necks() -> list[Component]:
    return [
        Component(
            "FeaturePyramid",
            "dlcore_plugins.feature_pyramid.neck:FeaturePyramid",
            summary="Joins several maps of a backbone, coarse to fine, into one fine map.",
        ),
    ]
