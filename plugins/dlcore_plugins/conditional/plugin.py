"""What the conditional plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl

_PACKAGE = "dlcore_plugins.conditional"


@hookimpl
def register_backbones() -> list[Component]:
    return [
        Component(
            "CondPreNet",
            f"{_PACKAGE}.prenet:CondPreNet",
            summary="Any backbone, with a rough pose drawn into its images.",
        ),
        Component(
            "HRNetCoAM",
            f"{_PACKAGE}.coam:HRNetCoAM",
            summary="An HRNet whose branches attend to a rough pose of the animal.",
        ),
    ]


@hookimpl
def register_transforms() -> list[Component]:
    return [
        Component(
            "gen_sampling",
            f"{_PACKAGE}.transform:GenerativeSampling",
            summary="Rough poses made from true ones, for conditional models to correct.",
        ),
    ]
