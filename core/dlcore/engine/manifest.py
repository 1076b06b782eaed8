"""What a run records about itself: versions, names, and the configuration with full names."""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Mapping
from typing import Any

import torch

import dlcore
from dlcore.config.schema import RunConfig
from dlcore.engine.former_plugins import PLUGINS, describe_plugins
from dlcore.engine.precision import Precision
from dlcore.engine.snapshots import Content
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
        PLUGINS: describe_plugins(host),
        "keypoints": list(task.keypoints),
        "unique_keypoints": list(task.unique_keypoints),
        "individuals": list(task.individuals),
        "config": values,
    }
