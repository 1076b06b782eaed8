"""What this package offers to dlcore. Imports dlcore only, so listing it is free."""

from dlcore import Component, hookimpl


@hookimpl
def register_backbones() -> list[Component]:
    return [
        Component(
            "AcmeTiny",
            "dlcore_acme.backbone:AcmeTiny",
            summary="Three strided convolutions, for tests and laptops.",
        ),
    ]


@hookimpl
def register_heads() -> list[Component]:
    return [
        Component(
            "AcmeSoftArgmaxHead",
            "dlcore_acme.soft_argmax:AcmeSoftArgmaxHead",
            summary="Coordinates as the mean place of a learned map, for one individual.",
        ),
    ]


@hookimpl
def register_target_generators() -> list[Component]:
    return [
        Component(
            "AcmeCoordinateGenerator",
            "dlcore_acme.soft_argmax:AcmeCoordinateGenerator",
            summary="Keypoints in cells, and whether they are labelled.",
        ),
    ]


@hookimpl
def register_predictors() -> list[Component]:
    return [
        Component(
            "AcmeCoordinatePredictor",
            "dlcore_acme.soft_argmax:AcmeCoordinatePredictor",
            summary="Pixels and scores from coordinates in cells.",
        ),
    ]
