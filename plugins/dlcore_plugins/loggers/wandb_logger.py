"""Weights & Biases."""

from __future__ import annotations

import difflib
import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
import yaml

from dlcore.interfaces import Logger, RunInfo

LOGGER = logging.getLogger("dlcore")

INFO_FILE = "wandb_info.yaml"
PATIENCE_SECONDS = 15
_OWN_NAMES = {"project": "project_name", "name": "run_name"}


class WandbLogger(Logger):
    """Sends the numbers of a run to Weights & Biases, under the names of learning_stats.csv.

    Log in once with `wandb login`. Without a key or a network the run is kept in the run's folder,
    and `wandb sync` sends it later; training does not wait and is never asked for a key. A resumed
    run goes on in the same W&B run.

    Args:
        run: Where `wandb_info.yaml` and W&B's own files go. A detector's run gets the suffix
            `-detector`.
        project_name: Project in W&B.
        run_name: Name of the run in W&B.
        image_log_interval: Not used yet: no pictures are sent.
        train_folder: Ignored; it is always the run's folder.
        wandb_kwargs: Arguments of `wandb.init`.
        arguments: The same without `wandb_kwargs` around them, for example `tags` or `entity`.

    Raises:
        ValueError: If `wandb.init` does not take an argument, or one is given twice.
    """

    def __init__(
        self,
        run: RunInfo,
        *,
        project_name: str = "deeplabcut",
        run_name: str = "tmp",
        image_log_interval: int | None = None,
        train_folder: str | None = None,
        wandb_kwargs: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        given = _joined(wandb_kwargs or {}, arguments)
        if image_log_interval:
            LOGGER.warning("logger.image_log_interval: pictures are not sent to W&B yet")
        suffix = "-detector" if run.stage == "detector" else ""
        self._info = run.folder / f"{Path(INFO_FILE).stem}{suffix}.yaml"
        defaults: dict[str, Any] = {
            "project": project_name,
            "name": run_name + suffix,
            "dir": str(run.folder),
            "settings": wandb.Settings(init_timeout=PATIENCE_SECONDS),
        }
        if run.resumed_from_epoch and "id" not in given:
            defaults |= _former_run(self._info)
        self._run: Any = _start(defaults | given)
        info = {
            "entity": self._run.entity,
            "project": self._run.project,
            "run_id": self._run.id,
        }
        self._info.write_text(yaml.safe_dump(info), encoding="utf-8")

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Show the configuration beside the run."""
        self._run.config.update(dict(config), allow_val_change=True)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Send the numbers of one epoch."""
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


def _joined(nested: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    known = inspect.signature(wandb.init).parameters
    for name in (*nested, *arguments):
        if name in _OWN_NAMES:
            raise ValueError(f"{name}: write {_OWN_NAMES[name]} instead")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{name}: wandb.init does not take this argument{hint}")
    twice = sorted(set(nested) & set(arguments))
    if twice:
        raise ValueError(f"{twice[0]}: stands in the logger's block and in its wandb_kwargs")
    return {**nested, **arguments}


def _former_run(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    info = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(info, Mapping) or not info.get("run_id"):
        return {}
    return {"id": str(info["run_id"]), "resume": "allow"}


def _start(arguments: dict[str, Any]) -> Any:
    mode = arguments.get("mode") or os.environ.get("WANDB_MODE") or "online"
    if mode == "online" and not _has_key():
        LOGGER.warning("no key for W&B is known: the run is kept in its folder; `wandb login`")
        arguments["mode"] = "offline"
    try:
        return wandb.init(**arguments)
    except wandb.Error as error:
        if mode != "online":
            raise
        reason = str(error).partition("\n")[0]
        LOGGER.warning("W&B cannot be reached (%s): the run is kept in its folder", reason)
        return wandb.init(**{**arguments, "mode": "offline"})


def _has_key() -> bool:
    if "prompt" in inspect.signature(wandb.login).parameters:
        return bool(wandb.login(prompt=False, verify=False))
    return wandb.api.api_key is not None  # older versions of wandb
