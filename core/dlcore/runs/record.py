"""What the files of a run say about it: its config, how far it came, how good it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcore.config.yaml import read
from dlcore.engine.curves import Curves, read_curves
from dlcore.engine.run_folder import LOG_FILE, MANIFEST, RESOLVED_CONFIG
from dlcore.engine.stage_files import statistics_file
from dlcore.engine.status import STATUS
from dlcore.errors import ConfigError, DataError
from dlcore.runs.finding import CONFIG, STAGES

TRAIN_LOSS = "losses/train.total_loss"
EVAL_LOSS = "losses/eval.total_loss"

_PLANNED = 200
_KEY_METRICS = {"pose": "test.mAP", "detector": "test.mAP@50:95"}
"""What the config means where it leaves the key out."""

_EPOCH = re.compile(r"-(\d+)\.pt$")


@dataclass(frozen=True)
class StageRecord:
    """How far one model of a run came.

    Attributes:
        name: "pose" or "detector".
        architecture: Of a detector its variant, of a pose model its net type or backbone.
        epochs: Done.
        planned: Epochs in all, as the config says.
        key_metric: What the best epoch is chosen by, such as "test.mAP".
        ascending: Whether a larger value of it is better.
        curves: The table of losses and metrics.
        given: Whether it was trained elsewhere and is only used.
    """

    name: str
    architecture: str | None
    epochs: int
    planned: int
    key_metric: str
    ascending: bool
    curves: Curves = field(default_factory=dict, repr=False)
    given: bool = False

    @property
    def best_epoch(self) -> int | None:
        """The first epoch with the best key metric; None if it was never measured."""
        epochs, values = self.curves.get(f"metrics/{self.key_metric}", ([], []))
        if not epochs:
            return None
        best = max(values) if self.ascending else min(values)
        return epochs[values.index(best)]

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the best epoch by name, such as "test.rmse"; the key metric first."""
        epoch = self.best_epoch
        found = {}
        for name, (epochs, values) in self.curves.items():
            kind, _, rest = name.partition("/")
            if kind == "metrics" and epoch in epochs:
                found[rest] = values[epochs.index(epoch)]
        return dict(sorted(found.items(), key=lambda item: item[0] != self.key_metric))


@dataclass(frozen=True)
class RunRecord:
    """A run on disk.

    Attributes:
        folder: Where it is.
        values: Its config as plain types; empty if it cannot be read.
        has_defaults: Whether the config holds every default.
        manifest: What it recorded about itself; empty for DeepLabCut's.
        status: What it said last about its state; empty for DeepLabCut's.
        stages: The models that it trains, in order.
        changed: When its files were last written, in seconds since 1970.
        snapshots: The sizes of its snapshots and resume files in bytes, by name.
        problems: What could not be read.
    """

    folder: Path
    values: dict[str, Any] = field(repr=False)
    has_defaults: bool
    manifest: dict[str, Any] = field(repr=False)
    status: dict[str, Any]
    stages: tuple[StageRecord, ...]
    changed: float
    snapshots: dict[str, int]
    problems: tuple[str, ...]

    @property
    def net_type(self) -> str | None:
        """The name of its architecture; that of the backbone where it has none."""
        return _architecture(self.values)

    @property
    def method(self) -> str | None:
        """How individuals are told apart: "bu", "td" or "ctd"."""
        method = self.values.get("method")
        return str(method).lower() if method else None

    @property
    def can_be_resumed(self) -> bool:
        """Whether there is something to go on from."""
        return bool(self.snapshots)


def read_run(folder: Path) -> RunRecord:
    """Read what the files of a run say, without its snapshots.

    What cannot be read is told in `problems`; the rest is there.
    """
    problems: list[str] = []
    names = {path.name for path in folder.iterdir()}
    config = next((name for name in (RESOLVED_CONFIG, CONFIG) if name in names), None)
    values: dict[str, Any] = {}
    if config is not None:
        try:
            values = read(folder / config).values
        except ConfigError as error:
            problems += error.messages()
    snapshots = {
        name: (folder / name).stat().st_size
        for name in sorted(names)
        if name.endswith(".pt") and not name.startswith(".")
    }
    stages = []
    for name in STAGES:
        table = statistics_file(name)
        curves: Curves | None = None
        if table in names:
            try:
                curves = read_curves(folder / table)
            except (ValueError, OSError) as error:
                problems.append(str(error))
        stage = _stage(name, values, curves, snapshots)
        if stage is not None:
            stages.append(stage)
    watched = {LOG_FILE, STATUS, RESOLVED_CONFIG, *snapshots, *map(statistics_file, STAGES)}
    return RunRecord(
        folder,
        values,
        config == RESOLVED_CONFIG,
        _json(folder / MANIFEST, problems),
        _json(folder / STATUS, problems),
        tuple(stages),
        max(((folder / n).stat().st_mtime for n in watched & names), default=0.0),
        snapshots,
        tuple(problems),
    )


def open_run(path: Path) -> RunRecord:
    """The run of a folder, or of a file in it.

    Raises:
        DataError: If there is none.
    """
    folder = path.parent if path.is_file() else path
    record = read_run(folder) if folder.is_dir() else None
    if record is None or not (record.values or any(stage.curves for stage in record.stages)):
        raise DataError(
            f"{str(path)!r} is not the folder of a run: it has neither {RESOLVED_CONFIG} nor "
            f"{CONFIG}; `dlcore runs FOLDER` lists runs"
        )
    return record


def _stage(
    name: str, values: Mapping[str, Any], curves: Curves | None, snapshots: Iterable[str]
) -> StageRecord | None:
    """What is known of a stage; None if the run has no such stage."""
    section = values if name == "pose" else _map(values.get("detector"))
    settings, runner = _map(section.get("train_settings")), _map(section.get("runner"))
    planned = settings.get("epochs", _PLANNED if section else 0)
    planned = planned if isinstance(planned, int) else 0
    saved = [_epoch(s) for s in snapshots if ("detector" in s) == (name == "detector")]
    if name == "detector" and str(values.get("method")).lower() != "td" and curves is None:
        return None
    if not planned and curves is None:
        return None
    epochs = max((e for e, _ in (curves or {}).values() if e), key=lambda e: e[-1], default=[0])[-1]
    if curves is None:
        epochs = max(saved, default=0)
    return StageRecord(
        name,
        _architecture(values) if name == "pose" else _detector(section),
        epochs,
        planned,
        str(runner.get("key_metric") or _KEY_METRICS[name]),
        runner.get("key_metric_asc") is not False,
        curves or {},
        given=name == "detector" and curves is None and bool(saved),
    )


def _architecture(values: Mapping[str, Any]) -> str | None:
    backbone = _map(_map(values.get("model")).get("backbone"))
    found = values.get("net_type") or backbone.get("model_name") or backbone.get("type")
    return str(found) if found else None


def _detector(section: Mapping[str, Any]) -> str | None:
    model = _map(section.get("model"))
    found = model.get("variant") or str(model.get("type") or "").rpartition("/")[2]
    return str(found) if found else None


def _epoch(snapshot: str) -> int:
    match = _EPOCH.search(snapshot)
    return int(match[1]) if match else 0


def _json(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{str(path)!r} cannot be read: {error}")
        return {}
    return found if isinstance(found, dict) else {}


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
