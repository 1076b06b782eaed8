"""A net type in place of the model: `net_type: resnet_50` and no `model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlcore.errors import ConfigError, DlcoreError, Problem
from dlcore.plugin_host import PluginHost

if TYPE_CHECKING:
    from dlcore.interfaces.types import PoseTask


def fill_in(values: dict[str, Any], host: PluginHost) -> dict[str, Any]:
    """The config with what its net type says laid under it.

    Maps are merged, everything else in the file wins, and a block whose `type` the file changes is
    the file's alone.

    Raises:
        ConfigError: If the net type is unknown or made for another method, or the file does not
            say what is to be found.
    """
    name = values["net_type"]
    try:
        component = host.find("net_types", name).component
        task = task_of(values)
        if task is None:
            raise ConfigError(
                [
                    Problem(
                        "net_type",
                        f"{name!r} can stand for the model only where metadata.bodyparts says what "
                        f"is to be found; add it, or write 'model'",
                    )
                ]
            )
        config = component.load()().config(task)
    except ConfigError:
        raise
    except DlcoreError as error:
        raise ConfigError([Problem("net_type", str(error))]) from error
    method, asked = config.get("method"), values.get("method")
    if method and isinstance(asked, str) and asked.lower() != method:
        raise ConfigError(
            [
                Problem(
                    "method",
                    f"the net type {name!r} is made for method {method}, not {asked}; leave out "
                    f"'method', or choose a net type that `dlcore list net-types` has for {asked}",
                )
            ]
        )
    return lay_over(config, {key: value for key, value in values.items() if key != "model"})


def lay_over(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `top` in it; null in `top` counts as missing."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        if value is None and key in merged:
            continue
        if isinstance(value, dict) and isinstance(below, dict) and not _differ(value, below):
            merged[key] = lay_over(below, value)
        else:
            merged[key] = value
    return merged


def _differ(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two blocks name different components."""
    return first.get("type", second.get("type")) != second.get("type")


def task_of(values: Mapping[str, Any]) -> PoseTask | None:
    """What the `metadata` of a config say is to be found; None where they do not say."""
    metadata = values.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("bodyparts"), list):
        return None
    names = {
        key: tuple(str(name) for name in metadata.get(key) or ())
        for key in ("bodyparts", "unique_bodyparts", "individuals")
    }
    if not names["bodyparts"]:
        return None
    from dlcore.interfaces.types import PoseTask  # imports torch, as loading a net type does

    return PoseTask(
        keypoints=names["bodyparts"],
        unique_keypoints=names["unique_bodyparts"],
        individuals=names["individuals"] or ("individual_1",),
        with_identity=bool(metadata.get("with_identity")),
    )
