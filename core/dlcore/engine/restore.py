"""Put everything that a run is made of back where a snapshot left it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from dlcore.engine.optim import replay
from dlcore.engine.resume import progress, restore_random_state, restore_scheduler
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import Content
from dlcore.engine.stages import Stage
from dlcore.engine.trainer import Trainer
from dlcore.errors import SnapshotError


def restore(trainer: Trainer, content: Content, stage: Stage, device: torch.device) -> None:
    """Put a freshly built trainer where a snapshot left off.

    Raises:
        SnapshotError: If something in the snapshot does not fit.
    """
    epoch, step = progress(content)
    trainer.progress.epoch = epoch
    metadata = content.get("metadata") or {}
    trainer.progress.metrics = dict(metadata.get("metrics") or {})
    if step and content.get("drawn_from") != trainer.drawn_from():
        LOGGER.warning(
            "batch size, accumulation, seed or number of images have changed: epoch %d starts anew",
            epoch + 1,
        )
        step = 0
    if step:
        trainer.progress.state.step = step
        trainer.progress.state.sums = {
            name: value.to(device) for name, value in (content.get("loss_sums") or {}).items()
        }
        trainer.progress.logged = dict(content.get("logged") or {})
    _restore_schedule(trainer, content, stage, epoch, step)
    _restore_optimizer(trainer, content, stage)
    trainer.callbacks.load_state_dict(content.get("callbacks") or {})
    if content.get("scaler"):
        trainer.scaler.load_state_dict(content["scaler"])
    if "rng" in content:
        restore_random_state(content["rng"], device)


def _restore_schedule(
    trainer: Trainer, content: Content, stage: Stage, epoch: int, step: int
) -> None:
    if trainer.scheduler is None:
        return
    saved = content.get("scheduler")
    if saved is not None and stage.runner.load_scheduler_state_dict:
        restore_scheduler(trainer.scheduler, saved)
        former = _former_runner(content, stage).get("scheduler")
        now = stage.runner.scheduler
        if former is not None and now is not None and former != now.model_dump():
            LOGGER.warning(
                "%s was edited, but the schedule saved in the snapshot is used; write "
                "%s: false to take the edited one",
                stage.key("runner.scheduler"),
                stage.key("runner.load_scheduler_state_dict"),
            )
        return
    LOGGER.info("the learning-rate schedule is that of the config, as of epoch %d", epoch)
    by_step = getattr(trainer.scheduler, "interval", "epoch") == "step"
    replay(trainer.scheduler, trainer.groups.updates(epoch, step) if by_step else epoch)


def _restore_optimizer(trainer: Trainer, content: Content, stage: Stage) -> None:
    """Load the optimizer's state; what the config says about it now goes before."""
    key = stage.key("runner.optimizer")
    former = _former_runner(content, stage).get("optimizer")
    now = stage.runner.optimizer.model_dump()
    if former is not None and former["type"] != now["type"]:
        LOGGER.warning("%s is another than before (%s): it starts anew", key, former["type"])
        return
    if "optimizer" not in content:
        LOGGER.warning(
            "the snapshot has no optimizer state: the run goes on, but not exactly as it would have"
        )
        return
    groups = trainer.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    edited = {}
    if former is not None:
        before, after = former.get("params") or {}, now.get("params") or {}
        names = (before.keys() | after.keys()) - {"lr"}
        changed = [name for name in names if before.get(name) != after.get(name)]
        edited = {name: groups[0][name] for name in sorted(changed) if name in groups[0]}
    try:
        trainer.optimizer.load_state_dict(content["optimizer"])
    except (KeyError, ValueError, TypeError) as error:
        raise SnapshotError(
            f"the optimizer's state in the snapshot does not fit {key}: {error}"
        ) from error
    for group, rate in zip(trainer.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
        group.update(edited)
    if edited:
        values = ", ".join(f"{name}={value}" for name, value in edited.items())
        LOGGER.info("%s.params was edited: from now on %s", key, values)


def _former_runner(content: Content, stage: Stage) -> Mapping[str, Any]:
    """The `runner` section that the snapshot was made with; empty if it is not known."""
    config = (content.get("dlcore") or {}).get("config") or {}
    section = config if stage.name == "pose" else config.get("detector") or {}
    return section.get("runner") or {}
