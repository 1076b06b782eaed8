"""Which plugins a run was made with, for whoever uses it where one of them is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcore.engine.run_folder import MANIFEST
from dlcore.errors import SnapshotError
from dlcore.plugin_host import PluginHost, PluginInfo

PLUGINS = "plugins"
"""The key of a manifest that tells them."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*", re.ASCII)
"""What a distribution and a version look like: they become part of a command to be typed."""


def describe_plugins(host: PluginHost) -> dict[str, dict[str, str | None]]:
    """What a manifest says of the plugins that a run uses."""
    return {
        name: {"distribution": info.distribution, "version": info.version}
        | ({} if info.distribution else {"file": info.location})
        for name, info in host.plugins.items()
    }


def expect_plugins_of(host: PluginHost, run: Path) -> None:
    """Let errors about missing components name the plugins that a run was made with.

    Args:
        host: Where components will be looked for.
        run: The folder of the run, or a snapshot. One that says nothing is no error.
    """
    manifest = _manifest(run if run.is_dir() else run.parent)
    if not manifest and run.is_file() and run.suffix == ".pt":
        from dlcore.engine.snapshots import load_snapshot

        try:
            manifest = load_snapshot(run).get("dlcore") or {}
        except SnapshotError:  # whoever needs the snapshot will say so
            return
    plugins = manifest.get(PLUGINS)
    if isinstance(plugins, Mapping):
        host.expected |= {
            str(name): _info(str(name), about)
            for name, about in plugins.items()
            if isinstance(about, Mapping)
        }


def _manifest(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _info(name: str, about: Mapping[str, Any]) -> PluginInfo:
    texts = (about.get("distribution"), about.get("version"))
    distribution, version = (
        text if isinstance(text, str) and _NAME.fullmatch(text) else None for text in texts
    )
    return PluginInfo(name, distribution, version, str(about.get("file") or ""))
