"""Snapshots: what they hold, how they are written and read, which ones are kept.

A snapshot `snapshot-NNN.pt` has the layout of DeepLabCut's: `metadata`, `model`, `scheduler` and,
if asked for, `optimizer`; dlcore adds one key, `dlcore`, with the manifest. `resume.pt` beside them
holds everything a run needs to go on exactly: optimizer, scaler, random-number states.
"""

from __future__ import annotations

import math
import pickle
import re
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcore.engine.run_folder import LOGGER, write_atomically
from dlcore.errors import SnapshotError

Content = dict[str, Any]

NOT_NAMES = ("best", "detector")
"""What stands in the names of snapshots in the place of the name of other weights."""

_MAPPINGS = (
    "metadata",
    "dlcore",
    "optimizer",
    "scheduler",
    "scaler",
    "rng",
    "loss_sums",
    "callbacks",
    "logged",
)
"""Keys whose values are mappings where they are there."""


@dataclass(frozen=True)
class SnapshotFile:
    """A snapshot on disk.

    Attributes:
        path: The file.
        epoch: Epochs trained.
        best: Whether it is the best by the key metric.
    """

    path: Path
    epoch: int
    best: bool


def list_snapshots(folder: Path, prefix: str = "snapshot") -> list[SnapshotFile]:
    """The snapshots of a folder by epoch, the best one last."""
    pattern = re.compile(rf"{re.escape(prefix)}(-best)?-(\d+)\.pt")
    found = []
    if folder.is_dir():
        for path in folder.iterdir():
            match = pattern.fullmatch(path.name)
            if match:
                found.append(SnapshotFile(path, int(match[2]), match[1] is not None))
    return sorted(found, key=lambda snapshot: (snapshot.best, snapshot.epoch))


def list_offered(folder: Path, prefix: str = "snapshot") -> list[SnapshotFile]:
    """The snapshots of other weights, such as `snapshot-ema-010.pt`, of all names."""
    pattern = re.compile(rf"{re.escape(prefix)}-([A-Za-z]\w*)(-best)?-\d+\.pt", re.ASCII)
    matches = [pattern.fullmatch(p.name) for p in folder.iterdir()] if folder.is_dir() else []
    names = sorted({match[1] for match in matches if match and match[1] not in NOT_NAMES})
    return [found for name in names for found in list_snapshots(folder, f"{prefix}-{name}")]


def save_snapshot(path: Path, content: Content) -> None:
    """Write a snapshot of plain types and tensors, whole or not at all.

    Raises:
        TrainingError: If the file cannot be written.
    """
    plain = {key: to_plain(value) for key, value in content.items()}
    write_atomically(path, lambda file: torch.save(plain, file))


def load_snapshot(path: Path) -> Content:
    """Read a snapshot of dlcore or DeepLabCut. Never runs code that is in the file.

    Raises:
        SnapshotError: If the file is missing, cut short, holds code, or is no snapshot.
    """
    if not path.is_file():
        raise SnapshotError(f"there is no snapshot {str(path)!r}{_nearby(path)}")
    try:
        with (
            torch.serialization.safe_globals(_numpy_scalars()),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, str(error)) from error
    except PermissionError as error:
        raise SnapshotError(f"snapshot {str(path)!r} cannot be read: {error.strerror}") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path) from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), Mapping):
        raise SnapshotError(f"{str(path)!r} is not a snapshot: it has no 'model'{_nearby(path)}")
    _check_structure(content, path)
    return content


def _check_structure(content: Content, path: Path) -> None:
    """Refuse a snapshot whose parts are not of the types that their readers rely on."""
    wrong = [key for key in _MAPPINGS if not isinstance(content.get(key), Mapping | types.NoneType)]
    wrong += [
        f"model.{key}" for key, value in content["model"].items() if not isinstance(value, Tensor)
    ]
    for key in ("metadata", "dlcore"):
        if key in wrong:
            continue
        part = content.get(key) or {}
        inner = ("metrics", "losses") if key == "metadata" else ("config", "plugins")
        wrong += [
            f"{key}.{name}"
            for name in inner
            if not isinstance(part.get(name), Mapping | types.NoneType)
        ]
    if "metadata" not in wrong and not _is_count((content.get("metadata") or {}).get("epoch", 0)):
        wrong.append("metadata.epoch")
    if not _is_count(content.get("step", 0)):
        wrong.append("step")
    if wrong:
        raise SnapshotError(
            f"snapshot {str(path)!r} is not as dlcore or DeepLabCut writes it: "
            f"{', '.join(repr(key) for key in wrong[:3])} is not what it should be; "
            f"use another one{_nearby(path)}"
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _refused(path: Path, reason: str) -> SnapshotError:
    """What to say of torch's reason, which advises to load code all the same."""
    found = re.search(r"GLOBAL ([\w.]+)", reason)
    if found is None:
        return _damaged(path)
    return SnapshotError(
        f"snapshot {str(path)!r} holds something other than numbers ({found[1]!r}), which could "
        f"be code, and was not loaded; use another one{_nearby(path)}"
    )


def _damaged(path: Path) -> SnapshotError:
    return SnapshotError(
        f"snapshot {str(path)!r} is damaged or cut short; use another one{_nearby(path)}"
    )


def load_weights(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load all weights of a snapshot into a model of the same architecture.

    Raises:
        SnapshotError: If names or shapes differ, with the first few differences.
    """
    own = model.state_dict()
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} is {tuple(state[key].shape)} in the snapshot and {tuple(own[key].shape)} here"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if missing or unexpected or shapes:
        lines = [f"snapshot {str(path)!r} belongs to another model"]
        for what, names in (
            ("missing in the snapshot", missing),
            ("only in the snapshot", unexpected),
            ("of another shape", shapes),
        ):
            if names:
                rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
                lines.append(f"  {what}: {', '.join(names[:3])}{rest}")
        lines.append("  check model and metadata.bodyparts, or start from it with --init-from")
        raise SnapshotError("\n".join(lines))
    model.load_state_dict(state)


def to_plain(value: Any) -> Any:
    """Turn numpy numbers, paths and odd mappings into types that load with `weights_only`.

    Raises:
        TypeError: If something has no plain form.
    """
    if isinstance(value, Tensor):
        return value.detach()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, int | float):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, OrderedDict):
        return OrderedDict((key, to_plain(item)) for key, item in value.items())
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(to_plain(item) for item in value)
    if isinstance(value, list | set | frozenset):
        return [to_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be stored in a snapshot")


def best_on_disk(folder: Path, prefix: str, metric: str) -> float | None:
    """A metric of the best snapshot in a folder, DeepLabCut's included."""
    best = [s for s in list_snapshots(folder, prefix) if s.best]
    if not best:
        return None
    try:
        metadata = load_snapshot(best[-1].path).get("metadata") or {}
    except SnapshotError as error:
        LOGGER.warning("%s", error)
        return None
    value = (metadata.get("metrics") or {}).get(metric, math.nan)
    return None if math.isnan(value) else float(value)


class SnapshotManager:
    """Decides after each epoch which snapshots to write and which to delete.

    The best one by the key metric is `<prefix>-best-NNN.pt`; when a better one comes it becomes a
    regular one if its epoch is a multiple of `save_epochs` and is deleted otherwise. Regular ones
    are written every `save_epochs` epochs and after the last, unless that epoch is the best;
    the oldest beyond `max_snapshots` are deleted.

    Args:
        folder: Where they are.
        prefix: Beginning of the file names.
        max_snapshots: Regular snapshots to keep.
        save_epochs: Epochs between regular snapshots.
        key_metric: Name of the metric that decides, for example "test.mAP".
        ascending: Whether a larger value is better.
        best: Value of the best snapshot so far, from an earlier part of this run.
    """

    def __init__(
        self,
        folder: Path,
        prefix: str,
        *,
        max_snapshots: int,
        save_epochs: int,
        key_metric: str,
        ascending: bool,
        best: float | None = None,
    ) -> None:
        self.folder = folder
        self.prefix = prefix
        self.max_snapshots = max_snapshots
        self.save_epochs = save_epochs
        self.key_metric = f"metrics/{key_metric}"
        self.ascending = ascending
        self.best = best

    def update(
        self,
        epoch: int,
        *,
        is_last: bool,
        metrics: Mapping[str, float],
        content: Callable[[], Content],
    ) -> Path | None:
        """Write and delete what the rules say.

        Args:
            epoch: The epoch just finished.
            is_last: Whether no epoch follows.
            metrics: What was measured after this epoch; empty if nothing was.
            content: Gives what a snapshot holds; called only when one is written.

        Returns:
            The snapshot that was written, if any.
        """
        written = None
        if self._is_better(metrics.get(self.key_metric, math.nan)):
            former = [s for s in list_snapshots(self.folder, self.prefix) if s.best]
            self.best = float(metrics[self.key_metric])
            written = self.folder / f"{self.prefix}-best-{epoch:03d}.pt"
            save_snapshot(written, content())
            for snapshot in former:
                if snapshot.path != written:
                    self._retire(snapshot)
        elif is_last or epoch % self.save_epochs == 0:
            written = self.folder / f"{self.prefix}-{epoch:03d}.pt"
            save_snapshot(written, content())
        self._prune()
        return written

    def beside(self, name: str) -> SnapshotManager:
        """One with the same rules for snapshots of other weights, `<prefix>-<name>-NNN.pt`."""
        prefix = f"{self.prefix}-{name}"
        return SnapshotManager(
            self.folder,
            prefix,
            max_snapshots=self.max_snapshots,
            save_epochs=self.save_epochs,
            key_metric=self.key_metric.removeprefix("metrics/"),
            ascending=self.ascending,
            best=best_on_disk(self.folder, prefix, self.key_metric),
        )

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best is None:
            return True
        return value > self.best if self.ascending else value < self.best

    def _retire(self, snapshot: SnapshotFile) -> None:
        if snapshot.epoch % self.save_epochs == 0:
            snapshot.path.replace(self.folder / f"{self.prefix}-{snapshot.epoch:03d}.pt")
        else:
            snapshot.path.unlink(missing_ok=True)

    def _prune(self) -> None:
        regular = [s for s in list_snapshots(self.folder, self.prefix) if not s.best]
        for snapshot in regular[: max(len(regular) - self.max_snapshots, 0)]:
            LOGGER.debug("deleting %s", snapshot.path.name)
            snapshot.path.unlink(missing_ok=True)


def _numpy_scalars() -> list[Any]:
    """What numpy numbers in the metrics of older DeepLabCut snapshots are made of."""
    scalar = np.float64(0).__reduce__()[0]
    kinds = (np.float64, np.float32, np.int64, np.int32, np.bool_)
    old_name = (scalar, "numpy.core.multiarray.scalar")  # as numpy 1 wrote it
    return [scalar, old_name, np.dtype, *{type(np.dtype(kind)) for kind in kinds}]


def _nearby(path: Path) -> str:
    prefix = "snapshot-detector" if "detector" in path.name else "snapshot"
    names = [s.path.name for s in list_snapshots(path.parent, prefix) if s.path != path]
    return f"; snapshots in that folder: {', '.join(names)}" if names else ""
