"""What a run records about itself: versions, names, and the configuration with full names."""

from __future__ import annotations

import copy
import platform
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

import dlcore
from dlcore.config.places import find_places, initializer_block
from dlcore.config.schema import RunConfig
from dlcore.engine.precision import Precision
from dlcore.engine.snapshots import Content
from dlcore.errors import ComponentError
from dlcore.interfaces import PoseTask
from dlcore.plugin_host import PluginHost


def make_manifest(
    config: RunConfig,
    host: PluginHost,
    task: PoseTask,
    precision: Precision,
    former: Mapping[str, Any],
) -> Content:
    """What every snapshot of a run carries.

    Args:
        config: The config of the run.
        host: The plugins.
        task: The names behind the numbers.
        precision: How the run computes.
        former: The manifest of the snapshot that the run goes on from; empty for a new run.
    """
    values = config.model_dump(mode="json")
    values["metadata"] |= {
        "bodyparts": list(task.keypoints),
        "unique_bodyparts": list(task.unique_keypoints),
        "individuals": list(task.individuals),
        "with_identity": task.with_identity,
    }
    return {
        "version": dlcore.__version__,
        "run_id": former.get("run_id") or uuid.uuid4().hex,
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "precision": precision.name,
        "plugins": {
            name: {"distribution": info.distribution, "version": info.version}
            for name, info in host.plugins.items()
        },
        "keypoints": list(task.keypoints),
        "unique_keypoints": list(task.unique_keypoints),
        "individuals": list(task.individuals),
        "config": values,
    }


def resolved_config(config: Mapping[str, Any], host: PluginHost, place: Path) -> dict[str, Any]:
    """The configuration as it can be read anywhere, whatever else is installed.

    Every `type:` that a plugin offers becomes `plugin/Name`, and plugin files get absolute paths.

    Args:
        config: As plain types.
        host: The plugins.
        place: The folder that paths in it start from.
    """
    full = copy.deepcopy(dict(config))
    full["plugins"] = [str((place / Path(file).expanduser()).resolve()) for file in full["plugins"]]
    for head in full["model"]["heads"].values():
        if head.get("weight_init"):
            head["weight_init"] = initializer_block(host, head["weight_init"])
    for found in find_places(full):
        if found.name is None and isinstance(found.value, dict):
            try:
                entry = host.find(found.kind, str(found.value.get("type")))
            except (ComponentError, KeyError):  # a class of torch, or a kind that torch alone has
                continue
            found.value["type"] = entry.qualified_name
    return full
