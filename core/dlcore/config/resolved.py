"""A config as it can be read anywhere."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcore.config.places import find_places, initializer_block
from dlcore.errors import ComponentError
from dlcore.plugin_host import PluginHost


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
