"""What the TokenPose plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl

_PACKAGE = "dlcore_plugins.tokenpose"


@hookimpl
def register_necks() -> list[Component]:
    return [
        Component(
            "Transformer",
            f"{_PACKAGE}.neck:Transformer",
            summary="One token per keypoint that attends to patches of the features.",
        ),
    ]


@hookimpl
def register_heads() -> list[Component]:
    return [
        Component(
            "TransformerHead",
            f"{_PACKAGE}.head:TransformerHead",
            summary="One heatmap from each token of the neck Transformer.",
        ),
    ]
