"""Put everything that a run is made of back where a snapshot left it."""

from __future__ import annotations

import torch

from dlcore.engine.optim import replay
from dlcore.engine.resume import progress, restore_random_state, restore_scheduler
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import Content
from dlcore.engine.stages import Stage
from dlcore.engine.trainer import Trainer


def restore(trainer: Trainer, content: Content, stage: Stage, device: torch.device) -> None:
    """Put a freshly built trainer where a snapshot left off.

    Raises:
        SnapshotError: If something in the snapshot does not fit.
    """
    epoch, step = progress(content)
    trainer.progress.epoch = epoch
    metadata = content.get("metadata") or {}
    trainer.progress.metrics = dict(metadata.get("metrics") or {})
    trainer.progress.state.step = step
    trainer.progress.state.sums = {
        name: value.to(device) for name, value in (content.get("loss_sums") or {}).items()
    }
    if trainer.scheduler is not None:
        saved = content.get("scheduler")
        if saved is not None and stage.runner.load_scheduler_state_dict:
            restore_scheduler(trainer.scheduler, saved)
            _warn_of_edited_schedule(content, stage)
        else:
            LOGGER.info("the learning-rate schedule is that of the config, as of epoch %d", epoch)
            replay(trainer.scheduler, epoch)
    if "optimizer" in content:
        rates = [group["lr"] for group in trainer.optimizer.param_groups]
        trainer.optimizer.load_state_dict(content["optimizer"])
        for group, rate in zip(trainer.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
    else:
        LOGGER.warning(
            "the snapshot has no optimizer state: the run goes on, but not exactly as it would have"
        )
    if content.get("scaler"):
        trainer.scaler.load_state_dict(content["scaler"])
    if "rng" in content:
        restore_random_state(content["rng"], device)


def _warn_of_edited_schedule(content: Content, stage: Stage) -> None:
    config = content.get("dlcore", {}).get("config", {})
    section = config if stage.name == "pose" else config.get("detector") or {}
    former = section.get("runner", {}).get("scheduler")
    now = stage.runner.scheduler
    if former is not None and now is not None and former != now.model_dump():
        LOGGER.warning(
            "runner.scheduler was edited, but the schedule saved in the snapshot is used; write "
            "runner.load_scheduler_state_dict: false to take the edited one"
        )
