"""Folders of runs whose networks are as they were made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask
from dlcore.plugin_host import PluginHost
from tests.integration.conftest import small_config

TASK = PoseTask(("snout", "tail"))


def untrained_run(
    folder: Path,
    host: PluginHost,
    change: Callable[[dict[str, Any]], None] = lambda config: None,
    task: PoseTask = TASK,
) -> Path:
    """A run of a small network.

    Args:
        folder: Made for it.
        host: Knows the plugins.
        change: Of the config.
        task: The keypoints and individuals.
    """
    folder.mkdir(exist_ok=True)
    config = small_config(folder)
    del config["dataset"]
    config["metadata"] = {
        "bodyparts": list(task.keypoints),
        "individuals": list(task.individuals),
    }
    change(config)
    path = folder / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(config))
    model = build_model(host, load_config(path, host).config, task, fresh=True)
    content = {"metadata": {"epoch": 3}, "model": model.state_dict()}
    torch.save(content, folder / "snapshot-003.pt")
    return folder
