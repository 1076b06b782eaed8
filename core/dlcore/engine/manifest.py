"""What a run records about itself: versions, names, and the configuration with full names."""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Mapping
from typing import Any

import torch

import dlcore
from dlcore.config.places import HEAD_PARTS, initializer_block
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
        "config": config.model_dump(mode="json"),
    }


def with_full_names(config: Mapping[str, Any], host: PluginHost) -> dict[str, Any]:
    """The configuration with `plugin/Name` after every `type:` that a plugin offers."""
    full = dict(config)
    model = dict(full["model"])
    model["backbone"] = _full_name("backbones", model["backbone"], host)
    model["neck"] = _full_name("necks", model.get("neck"), host)
    model["heads"] = {name: _head(block, host) for name, block in model["heads"].items()}
    full["model"] = model
    full["dataset"] = _full_name("datasets", full.get("dataset"), host)
    runner = _full_name("runners", full["runner"], host)
    runner["scheduler"] = _full_name("schedulers", runner.get("scheduler"), host)
    full["runner"] = runner
    return full


def _head(block: Mapping[str, Any], host: PluginHost) -> dict[str, Any]:
    head: dict[str, Any] = _full_name("heads", block, host)
    for part, kind in HEAD_PARTS.items():
        head[part] = _full_name(kind, head.get(part), host)
    criterion = head.get("criterion") or {}
    if isinstance(criterion.get("type"), str):
        head["criterion"] = _full_name("criteria", criterion, host)
    else:
        head["criterion"] = {n: _full_name("criteria", c, host) for n, c in criterion.items()}
    if head.get("weight_init"):
        initializer = initializer_block(host, head["weight_init"])
        head["weight_init"] = _full_name("weight_initializers", initializer, host)
    return head


def _full_name(kind: str, block: Any, host: PluginHost) -> Any:
    if not isinstance(block, Mapping):
        return block
    try:
        entry = host.find(kind, str(block.get("type")))
    except ComponentError:  # a class of torch
        return dict(block)
    return {**block, "type": entry.qualified_name}
