"""The hooks that plugins implement, and the kinds of components they offer.

Every hook takes nothing and returns a list of `Component`. Returning data instead of calling a
registration function means that a plugin cannot register half of what it offers, that the answer
does not depend on the order of loading, and that listing imports no heavy library.
"""

from __future__ import annotations

import pluggy

from dlcore.component import Component

ENTRY_POINT_GROUP = "dlcore.plugins"

hookspec = pluggy.HookspecMarker("dlcore")
hookimpl = pluggy.HookimplMarker("dlcore")


@hookspec
def register_backbones() -> list[Component]:  # type: ignore[empty-body]
    """Networks that turn images into feature maps (`model.backbone`)."""


@hookspec
def register_necks() -> list[Component]:  # type: ignore[empty-body]
    """Layers between the backbone and the heads (`model.neck`)."""


@hookspec
def register_heads() -> list[Component]:  # type: ignore[empty-body]
    """Layers that turn features into named outputs (`model.heads.<name>`)."""


@hookspec
def register_predictors() -> list[Component]:  # type: ignore[empty-body]
    """Decoders that turn a head's outputs into coordinates (`predictor` of a head)."""


@hookspec
def register_target_generators() -> list[Component]:  # type: ignore[empty-body]
    """Makers of what a head should have output (`target_generator` of a head)."""


@hookspec
def register_detectors() -> list[Component]:  # type: ignore[empty-body]
    """Networks that find individuals in images (`detector.model`)."""


@hookspec
def register_loggers() -> list[Component]:  # type: ignore[empty-body]
    """Places where a run writes its numbers and pictures (`logger`)."""


@hookspec
def register_schedulers() -> list[Component]:  # type: ignore[empty-body]
    """Learning-rate schedules (`runner.scheduler`); those of torch need no registration."""


@hookspec
def register_criteria() -> list[Component]:  # type: ignore[empty-body]
    """Losses between a head's output and its target (`criterion` of a head)."""


@hookspec
def register_weight_initializers() -> list[Component]:  # type: ignore[empty-body]
    """Rules for the first weights of a head (`weight_init` of a head)."""


@hookspec
def register_transforms() -> list[Component]:  # type: ignore[empty-body]
    """Augmentations, named by their key in `data.train` and `data.inference`."""


@hookspec
def register_collates() -> list[Component]:  # type: ignore[empty-body]
    """Ways of making one batch of images of different sizes (`data.train.collate`)."""


@hookspec
def register_datasets() -> list[Component]:  # type: ignore[empty-body]
    """Readers of labelled images (`dataset`)."""


@hookspec
def register_runners() -> list[Component]:  # type: ignore[empty-body]
    """What a training step and an evaluation are (`runner.type`)."""


@hookspec
def register_net_types() -> list[Component]:  # type: ignore[empty-body]
    """Ready-made architectures that `dlcore init --net-type` writes."""


@hookspec
def register_callbacks() -> list[Component]:  # type: ignore[empty-body]
    """What looks on while a model is trained, and has a say in it (`callbacks`)."""


@hookspec
def register_prediction_writers() -> list[Component]:  # type: ignore[empty-body]
    """Kinds of files that predictions are written to (`dlcore predict --format`)."""


@hookspec
def register_trackers() -> list[Component]:  # type: ignore[empty-body]
    """Ways of telling who is who from frame to frame (`dlcore predict --tracker`)."""


@hookspec
def register_evaluation_writers() -> list[Component]:  # type: ignore[empty-body]
    """Kinds of files that evaluations are written to (`dlcore evaluate --format`)."""


@hookspec
def register_exporters() -> list[Component]:  # type: ignore[empty-body]
    """Kinds of files that trained networks are written to (`dlcore export --format`)."""


@hookspec
def register_inference_backends() -> list[Component]:  # type: ignore[empty-body]
    """What runs exported networks (`dlcore predict --backend`)."""


_PREFIX = "register_"

KINDS: tuple[str, ...] = tuple(
    name.removeprefix(_PREFIX) for name in list(globals()) if name.startswith(_PREFIX)
)
"""Every kind of component, as it is written in hook names and after `dlcore list`."""

_IRREGULAR = {"criteria": "criterion"}


def hook_name(kind: str) -> str:
    """The hook that offers components of `kind`: "heads" to "register_heads"."""
    return _PREFIX + kind


def singular(kind: str) -> str:
    """One component of `kind` in words: "target_generators" to "target generator"."""
    return _IRREGULAR.get(kind, kind.removesuffix("s")).replace("_", " ")
