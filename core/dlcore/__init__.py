"""dlcore: train pose-estimation models from one YAML file, with components from plugins.

This module is what plugins import. It never imports torch.
"""

from importlib_metadata import PackageNotFoundError, version

from dlcore.component import Component
from dlcore.errors import (
    ComponentError,
    ConfigError,
    DataError,
    DlcoreError,
    ExportError,
    PluginError,
    Problem,
    SnapshotError,
    TrainingError,
)
from dlcore.hookspecs import hookimpl

try:
    __version__ = version("dlcore")
except PackageNotFoundError:  # pragma: no cover  a source tree that was never installed
    __version__ = "0+unknown"

__all__ = [
    "Component",
    "ComponentError",
    "ConfigError",
    "DataError",
    "DlcoreError",
    "ExportError",
    "PluginError",
    "Problem",
    "SnapshotError",
    "TrainingError",
    "__version__",
    "hookimpl",
]
