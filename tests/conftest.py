"""What every test may use. Shared data is found only through the variable DLCORE_SHARED."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before any library reads them
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import pytest
from importlib_metadata import entry_points

from dlcore.hookspecs import ENTRY_POINT_GROUP
from dlcore.plugin_host import PluginHost


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared reference data; the test is skipped where there is none."""
    folder = os.environ.get("DLCORE_SHARED")
    if not folder:
        pytest.skip("set DLCORE_SHARED to the folder with the reference data to run this test")
    if not Path(folder).is_dir():
        pytest.fail(f"DLCORE_SHARED names {folder!r}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def host() -> PluginHost:
    """The plugins that come with dlcore, and no others that happen to be installed."""
    bundled = [
        entry_point
        for entry_point in entry_points(group=ENTRY_POINT_GROUP)
        if entry_point.dist is not None and entry_point.dist.name == "dlcore"
    ]
    return PluginHost.from_entry_points(bundled)
