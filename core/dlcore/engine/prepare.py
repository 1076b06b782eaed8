"""Build a trainer from a config, and try one step before the first epoch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from dlcore.building import build
from dlcore.config.loading import LoadedConfig
from dlcore.config.resolved import resolved_config
from dlcore.config.schema import RunConfig
from dlcore.data.device import to_device
from dlcore.engine.batch_size import repeated
from dlcore.engine.callbacks import build_callbacks
from dlcore.engine.compilation import compile_forward
from dlcore.engine.distributed import ALONE, World
from dlcore.engine.dry_run import timer, try_step, untouched
from dlcore.engine.loggers import build_loggers
from dlcore.engine.manifest import describe_environment, describe_provenance, make_manifest
from dlcore.engine.optim import (
    build_optimizer,
    build_scheduler,
    needs_metric,
    preview,
)
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision, choose_precision
from dlcore.engine.profiled_trainer import ProfiledTrainer
from dlcore.engine.progress import Schedule
from dlcore.engine.restore import restore
from dlcore.engine.room import Room
from dlcore.engine.run_folder import (
    CONFIG_PATH,
    ENVIRONMENT,
    LOGGER,
    MANIFEST,
    PROVENANCE,
    RESOLVED_CONFIG,
    RunFolder,
)
from dlcore.engine.setup import RunData
from dlcore.engine.snapshots import Content, SnapshotManager, best_on_disk
from dlcore.engine.stages import Stage
from dlcore.engine.trainer import Trainer
from dlcore.engine.training_run import TrainerView
from dlcore.errors import ConfigError, Problem
from dlcore.interfaces import Batch, PoseTask, RunInfo, Runner
from dlcore.plugin_host import PluginHost

TIMED = 2
"""Images in the batch with which ways to compute are timed: all would take long on a CPU."""


def prepare(
    folder: RunFolder,
    loaded: LoadedConfig,
    host: PluginHost,
    stage: Stage,
    model: nn.Module,
    data: RunData,
    device: torch.device,
    content: Content | None,
    room: Room,
    world: World = ALONE,
    *,
    profile: bool = False,
) -> Trainer:
    """Build and try everything, so that what fails later fails now.

    Args:
        folder: Where the run writes.
        loaded: The config.
        host: Where components are found.
        stage: What is trained.
        model: With the weights that it starts from.
        data: The batches.
        device: Where the run computes.
        content: What to go on from; None for a new run.
        room: Is made when everything has been tried, before the first file is written.
        world: The processes that train together.
        profile: Whether to measure where the time goes.

    Raises:
        DlcoreError: If something is wrong, in words for the user.
    """
    config, section = loaded.config, stage.runner
    memory_format = memory_format_of(stage)
    if section.sync_batch_norm and world.size > 1:
        model = _with_joint_norms(model, device, stage)
    model = model.to(device).to(memory_format=memory_format)

    make_runner = runner_maker(host, config, stage, model, data.task)
    batch = to_device(next(data.train.epoch(1)), device, data.train_normalization, memory_format)
    settled = settle_precision(section.precision, device, make_runner, batch, content)
    precision, reason = world.of_first(settled)
    LOGGER.info("precision: %s (%s)", precision.name, reason)
    runner = make_runner(precision)
    if section.compile and isinstance(runner, PoseTrainingRunner):
        compile_forward(runner, batch)
    optimizer = build_optimizer(
        host, section.optimizer.model_dump(), model.parameters(), stage.key("runner.optimizer")
    )
    scheduler = None
    if section.scheduler is not None:
        block, key = section.scheduler.model_dump(), stage.key("runner.scheduler")
        scheduler = build_scheduler(host, block, optimizer, key)
        if getattr(scheduler, "interval", "epoch") == "epoch":
            preview(host, block, optimizer, stage.settings.epochs, key)
    snapshots = SnapshotManager(
        folder.path,
        stage.snapshot_prefix,
        max_snapshots=section.snapshots.max_snapshots,
        save_epochs=section.snapshots.save_epochs,
        key_metric=section.key_metric,
        ascending=section.key_metric_asc,
    )
    manifest = make_manifest(
        config, host, data.task, precision, (content or {}).get("dlcore") or {}
    )
    trainer = (ProfiledTrainer if profile else Trainer)(
        runner,
        data,
        optimizer,
        scheduler,
        precision=precision,
        device=device,
        folder=folder,
        snapshots=snapshots,
        loggers=[],
        schedule=Schedule(
            stage.settings.epochs,
            stage.settings.images_at_once,
            config.train_settings.seed,
            section.eval_interval,
            stage.settings.display_iters,
            section.accumulate_batches,
            section.max_gradient_norm,
        ),
        manifest=manifest,
        save_optimizer_state=section.snapshots.save_optimizer_state,
        memory_format=memory_format,
        resume_file=stage.resume_file,
        world=world,
    )
    trainer.callbacks = build_callbacks(loaded, host, stage)
    metric_names = _dry_run(trainer, runner, batch, loaded, stage)
    _warn_of_unused_schedule(trainer, stage)
    if content is not None:
        restore(trainer, content, stage, device)
    resumed = content is not None and not room.replaces_run
    world.wait()  # until all have read what may now go
    room.clear()
    if content is not None:
        snapshots.best = best_on_disk(folder.path, snapshots.prefix, snapshots.key_metric)
    run_info = RunInfo(folder.path, stage.name, trainer.progress.epoch, resumed)
    trainer.callbacks.attach(TrainerView(trainer, run_info, metric_names))
    trainer.loggers = build_loggers(loaded, host, run_info) if world.is_first else []
    for logger in list(trainer.loggers):
        trainer.tell(logger, lambda logger=logger: logger.log_config(manifest["config"]))  # type: ignore[misc]
    resolved = resolved_config(manifest["config"], host, loaded.path.parent)
    folder.write_yaml(RESOLVED_CONFIG, resolved, "The configuration, whole.")
    about = {k: v for k, v in manifest.items() if k != "config"}
    about[ENVIRONMENT] = describe_environment(device)
    about[CONFIG_PATH] = str(loaded.path.resolve())
    about[PROVENANCE] = describe_provenance(loaded)
    folder.write_json(MANIFEST, about)
    _announce(model, device, precision, stage.settings.epochs)
    return trainer


def _with_joint_norms(model: nn.Module, device: torch.device, stage: Stage) -> nn.Module:
    """The model with batch-norm layers whose statistics are those of all processes' images.

    Raises:
        ConfigError: If there is no GPU, which torch needs for it.
    """
    if device.type != "cuda":
        message = "needs GPUs; leave it out to train on CPUs"
        raise ConfigError([Problem(stage.key("runner.sync_batch_norm"), message)])
    joint: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return joint


def memory_format_of(stage: Stage) -> torch.memory_format:
    """The layout of a stage's images and weights."""
    return torch.channels_last if stage.runner.channels_last else torch.contiguous_format


def runner_maker(
    host: PluginHost, config: RunConfig, stage: Stage, model: nn.Module, task: PoseTask
) -> Callable[[Precision], Runner]:
    """A function that builds the runner of a stage for a precision."""

    def make_runner(precision: Precision) -> Runner:
        runner: Runner = build(
            host,
            "runners",
            {"type": stage.runner.type},
            model,
            task,
            precision.autocast,
            key=stage.key("runner.type"),
            box_margin=config.data.bbox_margin,
        )
        return runner

    return make_runner


def settle_precision(
    requested: str,
    device: torch.device,
    make_runner: Callable[[Precision], Runner],
    batch: Batch,
    content: Content | None,
) -> tuple[Precision, str]:
    """`runner.precision` as a way to compute, and why: if auto, as before, or what is faster."""
    saved = (content or {}).get("dlcore", {}).get("precision")
    if (
        requested == "auto"
        and isinstance(saved, str)
        and not (saved == "fp16" and device.type == "cpu")
    ):
        return Precision(saved, device.type), "as before"
    few = repeated(batch, min(len(batch.images), TIMED))
    return choose_precision(requested, device, timer(make_runner, few))


def _warn_of_unused_schedule(trainer: Trainer, stage: Stage) -> None:
    scheduler = trainer.scheduler
    if scheduler is not None and needs_metric(scheduler) and trainer.data.evaluation is None:
        LOGGER.warning(
            "%s: %s judges by the evaluation, but nothing is evaluated: the rate stays as it is",
            stage.key("runner.scheduler"),
            type(scheduler).__name__,
        )


def _dry_run(
    trainer: Trainer, runner: Runner, batch: Batch, loaded: LoadedConfig, stage: Stage
) -> list[str]:
    """One batch, one backward, one evaluated batch: what fails later fails now.

    Returns:
        Names of what an evaluation gives.
    """
    with untouched(runner.model, trainer.device):
        if isinstance(runner, PoseTrainingRunner):
            runner.check_targets(batch)
        try_step(runner, batch)
        _try_optimizer(trainer, stage)
        if trainer.data.evaluation is None:
            return []
        metrics: dict[str, float] = {}
        first = next(trainer.data.evaluation.epoch(0), None)
        if first is not None:  # of several processes, the last ones may have none
            normalization = trainer.data.eval_normalization
            first = to_device(first, trainer.device, normalization, trainer.memory_format)
            metrics = runner.evaluate([first], trainer.data.eval_records)
    metrics = trainer.world.of_first(metrics)
    known = sorted(n.removeprefix("metrics/") for n in metrics if n.startswith("metrics/"))
    wanted = stage.runner.key_metric
    if wanted not in known:
        raise loaded.problem(
            stage.key("runner.key_metric"),
            f"{wanted!r} is not measured; choose one of {', '.join(known)}",
        )
    return list(metrics)


def _try_optimizer(trainer: Trainer, stage: Stage) -> None:
    """One step of the optimizer, undone: some refuse the gradients they get."""
    parameters = [p for group in trainer.optimizer.param_groups for p in group["params"]]
    before = [parameter.detach().clone() for parameter in parameters]
    try:
        trainer.optimizer.step()
    except RuntimeError as error:
        name = type(trainer.optimizer).__name__
        message = f"{name} cannot train this model: {error}; choose another, such as AdamW"
        raise ConfigError([Problem(stage.key("runner.optimizer.type"), message)]) from error
    finally:
        with torch.no_grad():
            for parameter, value in zip(parameters, before, strict=True):
                parameter.copy_(value)
        trainer.optimizer.state.clear()


def _announce(model: nn.Module, device: torch.device, precision: Precision, epochs: int) -> None:
    count = sum(parameter.numel() for parameter in model.parameters())
    LOGGER.info(
        "training %.2f million weights on %s in %s until epoch %d",
        count / 1e6,
        device,
        precision.name,
        epochs,
    )
