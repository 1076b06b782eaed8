"""dlcore: train pose-estimation models from one YAML file, with components from plugins.

This module is what plugins import. It never imports torch.
"""

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

__version__: str
"""Of the installed package; looked up when it is asked for, which takes long."""


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib_metadata import PackageNotFoundError, version

    try:
        return version("dlcore")
    except PackageNotFoundError:  # pragma: no cover  a source tree that was never installed
        return "0+unknown"


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
