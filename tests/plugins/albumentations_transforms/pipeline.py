"""The bundled transforms by their YAML keys, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from dlcore.data.chain import TransformChain
from dlcore.interfaces import PoseTask, Transform
from dlcore_plugins.albumentations_transforms import plugin

TASK = PoseTask(("a", "b", "c"))
COMPONENTS = {component.name: component for component in plugin.register_transforms()}


def make(key: str, task: PoseTask = TASK, **options: Any) -> Transform:
    """The transform of a YAML key."""
    return COMPONENTS[key].load()(task, **options)


def chain(*, inference: bool = False, **transforms: dict[str, Any]) -> TransformChain:
    """A chain of transforms, each with its options."""
    return TransformChain(
        [make(key, **options) for key, options in transforms.items()], inference=inference
    )
