"""Plugins that exist for one test only."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from importlib_metadata import EntryPoint

from dlcore.hookspecs import ENTRY_POINT_GROUP


def plugin_entry_point(module: str | ModuleType, name: str | None = None) -> EntryPoint:
    """An entry point as an installed package would have it, for `PluginHost.from_entry_points`.

    Args:
        module: The module with the hook implementations, or its dotted name.
        name: Name of the plugin; the last part of the module's name by default.
    """
    dotted = module if isinstance(module, str) else module.__name__
    return EntryPoint(name or dotted.rpartition(".")[2], dotted, ENTRY_POINT_GROUP)


def write_plugin(folder: Path, name: str, source: str) -> EntryPoint:
    """Write a plugin of one file and return an entry point that loads it.

    The folder is put on `sys.path`, so that targets like "my_plugin:MyHead" are found too; a
    module of that name that was imported before is forgotten.

    Args:
        folder: Where to write; pytest's `tmp_path` is a good choice.
        name: Name of the plugin and of its module. Take one that nothing else uses.
        source: Python source with hook implementations and perhaps the components.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    # bytecode of an earlier version with the same size and second would be taken for this one's
    Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    importlib.invalidate_caches()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    sys.modules.pop(name, None)
    return plugin_entry_point(name)
