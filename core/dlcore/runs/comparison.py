"""What differs between runs: their names, the keys of their configs, their best metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlcore.config import keys
from dlcore.config.loading import load_config
from dlcore.config.resolved import resolved_config
from dlcore.plugin_host import PluginHost
from dlcore.runs.finding import STAGES
from dlcore.runs.record import EVAL_LOSS, TRAIN_LOSS, RunRecord, StageRecord

_SAY_NOTHING = ("dlc-models-pytorch", "train")
"""Folders that every run of a DeepLabCut project is in."""

ABSENT = object()
"""Stands where a config has no such key."""


def short_names(folders: Sequence[Path]) -> list[str]:
    """What tells folders apart: their paths without what all have in common at either end."""
    paths = [folder.resolve().parts for folder in folders]
    plain = [tuple(part for part in path if part not in _SAY_NOTHING) for path in paths]
    paths = plain if len(set(plain)) == len(set(paths)) else paths
    if len(set(paths)) < 2:
        return [folder.resolve().name for folder in folders]
    shortest = min(map(len, paths))
    start = next((i for i in range(shortest) if len({p[i] for p in paths}) > 1), shortest)
    most = shortest - start
    end = next((i for i in range(most) if len({p[-1 - i] for p in paths}) > 1), most)
    return ["/".join(p[start : len(p) - end]) or p[-1] for p in paths]


def full_config(run: RunRecord, host: PluginHost) -> dict[str, Any]:
    """The config of a run with every default, as the run's own file has it or would have it.

    Raises:
        DlcoreError: If the defaults cannot be had, because something is wrong with the file.
    """
    if run.has_defaults or not run.values:
        return run.values
    loaded = load_config(run.folder / "pytorch_config.yaml", host)
    return resolved_config(loaded.config.model_dump(mode="json"), host, run.folder)


def differences(configs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The keys in which configs differ, each with what every config says.

    A section that some configs do not have is one difference, not one for each of its keys.

    Returns:
        Dotted key to one value for each config: plain, a map, or `ABSENT`.
    """
    return dict(_differences("", list(configs), frozenset()))


def _differences(
    key: str, values: list[Any], gone: frozenset[int]
) -> Iterator[tuple[str, list[Any]]]:
    """The same below a key; `gone` are the configs that lack the section around it."""
    present = [value for number, value in enumerate(values) if number not in gone]
    if all(value == present[0] for value in present):
        return
    maps = {n: value for n, value in enumerate(values) if isinstance(value, Mapping)}
    if len(maps) < len(present):
        yield key, values
    gone = frozenset(range(len(values))) - maps.keys()
    for name in dict.fromkeys(name for value in maps.values() for name in value):
        inner = [maps[n].get(name, ABSENT) if n in maps else ABSENT for n in range(len(values))]
        yield from _differences(keys.join(key, str(name)), inner, gone)


def figures(runs: Sequence[RunRecord], stage: str) -> dict[str, list[str]]:
    """What a stage of each run came to: name to one text for each run, empty where unknown."""
    found = [next((s for s in run.stages if s.name == stage), None) for run in runs]
    bests = [{} if s is None else s.best for s in found]
    rows = {
        "epochs": [_epochs(s) for s in found],
        "best by": ["" if s is None or not s.best else s.key_metric for s in found],
        "best epoch": ["" if s is None else str(s.best_epoch or "") for s in found],
    }
    for name in dict.fromkeys(name for best in bests for name in best):
        rows[name] = [f"{best[name]:.2f}" if name in best else "" for best in bests]
    for title, name in (("last train loss", TRAIN_LOSS), ("last test loss", EVAL_LOSS)):
        curves = [{} if s is None else s.curves for s in found]
        rows[title] = [f"{c[name][1][-1]:.5f}" if name in c else "" for c in curves]
    return {name: texts for name, texts in rows.items() if any(texts)}


def stages_of_any(runs: Sequence[RunRecord]) -> list[str]:
    """The stages that at least one of some runs has, in order."""
    names = {stage.name for run in runs for stage in run.stages}
    return [name for name in STAGES if name in names]


def _epochs(stage: StageRecord | None) -> str:
    if stage is None:
        return ""
    return "given" if stage.given else f"{stage.epochs}/{stage.planned}"
