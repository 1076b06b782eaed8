"""Weights & Biases."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wandb
import yaml
from pydantic import PositiveInt

from dlcore.interfaces import Logger, RunInfo
from dlcore_plugins.loggers.csv_logger import recorded_epochs
from dlcore_plugins.loggers.wandb_start import start_run

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

EPOCH = "epoch"
_OWN_NAMES = {"project": "project_name", "name": "run_name"}
_OTHER_RUNS = ("resume_from", "fork_from")


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
        image_log_interval: Send pictures every so many epochs: a training and a test image with
            their labels, predictions and maps. Null for none.
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
        image_log_interval: PositiveInt | None = None,
        train_folder: str | None = None,
        wandb_kwargs: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        given = _joined(wandb_kwargs or {}, arguments)
        self.image_interval = image_log_interval
        suffix = "-detector" if run.stage == "detector" else ""
        number = f"-{run.number}" if run.number > 1 else ""
        info_file = run.folder / f"wandb_info{suffix}{number}.yaml"
        defaults: dict[str, Any] = {
            "project": project_name,
            "name": run_name + suffix,
            "dir": str(run.folder),
            "reinit": "create_new",
        }
        if run.resumed and not any(name in given for name in _OTHER_RUNS):
            defaults |= _former_run(info_file)
        self._run: Any = start_run(defaults | given)
        self._run.define_metric("*", step_metric=EPOCH)
        info = {
            "entity": self._run.entity,
            "project": self._run.project,
            "run_id": self._run.id,
        }
        info_file.write_text(yaml.safe_dump(info), encoding="utf-8")
        if run.resumed:
            self._catch_up(run)

    def log_config(self, config: Mapping[str, Any]) -> None:
        """Show the configuration beside the run."""
        self._run.config.update(dict(config), allow_val_change=True)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Send the numbers of one epoch."""
        self._send(metrics, step)

    def log_images(self, images: Mapping[str, npt.NDArray[np.uint8]], step: int) -> None:
        """Send the pictures of one epoch."""
        self._send({name: wandb.Image(image) for name, image in images.items()}, step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()

    def _send(self, values: Mapping[str, Any], epoch: int) -> None:
        # W&B drops what comes for a step before its latest: a run that goes on from an older
        # snapshot is appended, and shown over the epoch.
        self._run.log({**values, EPOCH: epoch}, step=max(epoch, self._run.step))

    def _catch_up(self, run: RunInfo) -> None:
        """Send what W&B does not have of the epochs before.

        Offline it has nothing: without this, syncing the second part of a run would replace the
        first one on the server.
        """
        known = self._run.step
        for epoch, values in recorded_epochs(run).items():
            if epoch >= known:
                self._send(values, epoch)


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
