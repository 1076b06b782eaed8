"""From what a user names, a folder or a file, to the dataset that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcore.building import build
from dlcore.config.options import read_options
from dlcore.engine.run_folder import LOGGER
from dlcore.errors import ComponentImportError, DlcoreError
from dlcore.interfaces import DatasetContext, PoseDataset
from dlcore.plugin_host import PluginHost
from dlcore.registry import Entry


def block_of_source(
    source: Path, host: PluginHost, options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The `dataset` block that reads `source`.

    Args:
        source: What a user names.
        host: Where datasets are found.
        options: More options for the dataset.

    Raises:
        DlcoreError: If nothing can read it, several can, or what can knows no such option.
    """
    if not source.exists():
        raise DlcoreError(f"there is no file or folder {str(source)!r}")
    registry = host.registries["datasets"]
    found: list[tuple[str, Entry, dict[str, Any]]] = []
    for written, entry in zip(registry.names(), registry, strict=True):
        try:
            its = entry.component.load().options_for_source(source)  # type: ignore[attr-defined]
        except ComponentImportError as error:
            LOGGER.warning("%s", error)
            continue
        if its is not None:
            found.append((written, entry, its))
    if not found:
        known = "\n".join(f"  {entry.name}  {entry.component.summary}" for entry in registry)
        known = known or "  nothing: no installed plugin offers a dataset"
        raise DlcoreError(f"{str(source)!r} is nothing that can be read; this can be:\n{known}")
    if len(found) > 1:
        names = ", ".join(written for written, _, _ in found)
        raise DlcoreError(
            f"several plugins can read {str(source)!r}: {names}; switch off all but one with "
            f"DLCORE_DISABLE_PLUGINS"
        )
    written, entry, its = found[0]
    for name in options or {}:
        if not read_options(entry.component).takes(name):
            raise DlcoreError(f"{str(source)!r} is read by {written}, which has no option {name!r}")
    return {"type": written, **its, **(options or {})}


def dataset_of_source(
    source: Path, host: PluginHost, options: Mapping[str, Any] | None = None
) -> PoseDataset:
    """The dataset that reads `source`; see `block_of_source`."""
    block = block_of_source(source, host, options)
    dataset: PoseDataset = build(host, "datasets", block, DatasetContext(), key="dataset")
    return dataset
