"""A detector that is trained already, for a run that trains the pose model only."""

from __future__ import annotations

import shutil
from pathlib import Path

from dlcore.config.loading import LoadedConfig
from dlcore.engine.assembly import build_detector
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import list_snapshots, load_snapshot, load_weights
from dlcore.engine.stages import stage_named
from dlcore.errors import SnapshotError
from dlcore.plugin_host import PluginHost


def check_given_detector(loaded: LoadedConfig, host: PluginHost, path: Path, folder: Path) -> None:
    """See whether a snapshot is one of the detector that the config describes.

    Args:
        loaded: The config of the run.
        host: Where components are found.
        path: The snapshot.
        folder: Of the run.

    Raises:
        DlcoreError: If it is not, the run has no detector, or its folder holds another one.
    """
    config = loaded.config
    if config.method != "td" or config.detector is None:
        message = "there is none: `--detector-snapshot` is for method: td with a detector"
        raise loaded.problem("detector", message)
    detector = build_detector(host, config, fresh=False)
    load_weights(detector, load_snapshot(path)["model"], path)
    others = list_snapshots(folder, stage_named(config, "detector").snapshot_prefix)
    others = [other for other in others if other.path.resolve() != path.resolve()]
    if others and not _copy_of(loaded, path, folder).is_file():
        raise SnapshotError(
            f"{str(folder)!r} already holds a detector ({others[0].path.name}); leave "
            f"--detector-snapshot out to use that one, or train elsewhere (--output DIR)"
        )


def keep_given_detector(loaded: LoadedConfig, path: Path, folder: Path) -> None:
    """Put the snapshot beside those of the pose model, where predictions look for it."""
    target = _copy_of(loaded, path, folder)
    if path.resolve().parent != folder.resolve() and not target.exists():
        shutil.copyfile(path, target)
    LOGGER.info("detector: %s, trained already", path)


def _copy_of(loaded: LoadedConfig, path: Path, folder: Path) -> Path:
    prefix = stage_named(loaded.config, "detector").snapshot_prefix
    epoch = int((load_snapshot(path).get("metadata") or {}).get("epoch") or 0)
    return folder / f"{prefix}-{epoch:03d}.pt"
