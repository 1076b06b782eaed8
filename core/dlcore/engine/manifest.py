"""What a run records about itself: versions, names, and the configuration with full names."""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

import dlcore
from dlcore.config import keys
from dlcore.config.loading import LoadedConfig
from dlcore.config.schema import RunConfig
from dlcore.data.workers import count_cores
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


_FROM_DATASET = ("bodyparts", "unique_bodyparts", "individuals", "with_identity")
"""What stands in the configuration of a run as the dataset has it, unless the file says so."""
_PACKAGES = ("torchvision", "timm", "numpy", "albumentations", "opencv-python-headless")


def describe_environment(device: torch.device) -> dict[str, str]:
    """What a run is made on and with: device, system, and the libraries that matter most."""
    cores = f"{count_cores()} cores"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cores
    found = {"device": f"{device} ({name})", "system": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_provenance(loaded: LoadedConfig) -> dict[str, str]:
    """Where the values of a config come from: "line 12", "--set", "net type" or "dataset".

    Returns:
        By dotted key. Defaults are left out, and what holds other keys.
    """
    words = {"set": "--set", "net_type": "net type"}
    found = {f"metadata.{name}": "dataset" for name in _FROM_DATASET}
    for key, value in keys.walk(loaded.config.model_dump(mode="json")):
        where = loaded.provenance.get(key)
        if where is None or where.source == "default" or _is_told_otherwise(key, value):
            continue
        line = "file" if where.line is None else f"line {where.line}"
        found[key] = words.get(where.source, line)
    return found


def _is_told_otherwise(key: str, value: Any) -> bool:
    """Whether a value is told by what it holds, or as a part of a list."""
    if isinstance(value, Mapping):
        return len(value) > 0
    if isinstance(value, list):
        return any(isinstance(item, Mapping) for item in value)
    return key.endswith("]")
