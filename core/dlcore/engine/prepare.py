"""Build a trainer from a config, and try one step before the first epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcore.building import build
from dlcore.config.loading import LoadedConfig
from dlcore.data.device import to_device
from dlcore.engine.assembly import build_model
from dlcore.engine.compilation import compile_forward
from dlcore.engine.dry_run import timer, try_step, untouched
from dlcore.engine.manifest import make_manifest, with_full_names
from dlcore.engine.optim import build_optimizer, build_scheduler, preview
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision, choose_precision
from dlcore.engine.request import RunRequest
from dlcore.engine.restore import restore
from dlcore.engine.run_folder import LOGGER, MANIFEST, RESOLVED_CONFIG, RunFolder
from dlcore.engine.setup import RunData
from dlcore.engine.snapshots import Content, SnapshotManager, load_weights
from dlcore.engine.trainer import Schedule, Trainer
from dlcore.engine.transfer import apply_weight_init, transfer_weights
from dlcore.interfaces import Batch, Logger, RunInfo, Runner
from dlcore.plugin_host import PluginHost

ALWAYS_ON = "CSVLogger"
"""The logger of every run, whatever the config says."""


def prepare(
    folder: RunFolder,
    loaded: LoadedConfig,
    host: PluginHost,
    request: RunRequest,
    data: RunData,
    device: torch.device,
    content: Content | None,
) -> Trainer:
    """Build and try everything, so that what fails later fails now.

    Args:
        folder: Where the run writes.
        loaded: The config.
        host: Where components are found.
        request: What the user asks for besides.
        data: The batches.
        device: Where the run computes.
        content: What to go on from; None for a new run.

    Raises:
        DlcoreError: If something is wrong, in words for the user.
    """
    config = loaded.config
    init_from = request.init_from or (Path(config.init_from) if config.init_from else None)
    weight_init = config.train_settings.weight_init
    fresh = content is None and init_from is None and not weight_init
    model = build_model(host, config, data.task, fresh=fresh)
    if content is not None:
        load_weights(model, content["model"], request.output)
    elif init_from is not None:
        transfer_weights(model, init_from, data.task)
    elif weight_init:
        apply_weight_init(model, weight_init, loaded.path)
    memory_format = torch.channels_last if config.runner.channels_last else torch.contiguous_format
    model = model.to(device).to(memory_format=memory_format)

    def make_runner(precision: Precision) -> Runner:
        block = {"type": config.runner.type}
        runner: Runner = build(
            host, "runners", block, model, data.task, precision.autocast, key="runner.type"
        )
        return runner

    batch = to_device(next(data.train.epoch(1)), device, data.train_normalization, memory_format)
    precision = _precision(config.runner.precision, device, make_runner, batch, content)
    runner = make_runner(precision)
    if config.runner.compile and isinstance(runner, PoseTrainingRunner):
        compile_forward(runner, batch)
    optimizer = build_optimizer(
        host, config.runner.optimizer.model_dump(), model.parameters(), "runner.optimizer"
    )
    scheduler = None
    if config.runner.scheduler is not None:
        block = config.runner.scheduler.model_dump()
        key = "runner.scheduler"
        scheduler = build_scheduler(host, block, optimizer, key)
        if getattr(scheduler, "interval", "epoch") == "epoch":
            preview(host, block, optimizer, config.train_settings.epochs, key)
    snapshots = SnapshotManager(
        folder.path,
        config.runner.snapshot_prefix or "snapshot",
        max_snapshots=config.runner.snapshots.max_snapshots,
        save_epochs=config.runner.snapshots.save_epochs,
        key_metric=config.runner.key_metric,
        ascending=config.runner.key_metric_asc,
        best=_best_so_far(content),
    )
    manifest = make_manifest(
        config, host, data.task, precision, (content or {}).get("dlcore") or {}
    )
    trainer = Trainer(
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
            config.train_settings.epochs,
            config.train_settings.batch_size,
            config.runner.eval_interval,
            config.train_settings.display_iters,
        ),
        manifest=manifest,
        save_optimizer_state=config.runner.snapshots.save_optimizer_state,
        memory_format=memory_format,
    )
    _dry_run(trainer, runner, batch, loaded)
    if content is not None:
        restore(trainer, content, loaded, device)
    trainer.loggers = _loggers(loaded, host, folder, trainer.progress.epoch)
    for logger in list(trainer.loggers):
        trainer.tell(logger, lambda logger=logger: logger.log_config(manifest["config"]))  # type: ignore[misc]
    folder.write_yaml(
        RESOLVED_CONFIG, with_full_names(manifest["config"], host), "The configuration, whole."
    )
    folder.write_json(MANIFEST, {k: v for k, v in manifest.items() if k != "config"})
    _announce(model, device, precision, config.train_settings.epochs)
    return trainer


def _precision(
    requested: str,
    device: torch.device,
    make_runner: Any,
    batch: Batch,
    content: Content | None,
) -> Precision:
    saved = (content or {}).get("dlcore", {}).get("precision")
    if (
        requested == "auto"
        and isinstance(saved, str)
        and not (saved == "fp16" and device.type == "cpu")
    ):
        LOGGER.info("precision: %s, as before", saved)
        return Precision(saved, device.type)
    precision, reason = choose_precision(requested, device, timer(make_runner, batch))
    LOGGER.info("precision: %s (%s)", precision.name, reason)
    return precision


def _best_so_far(content: Content | None) -> float | None:
    best = (content or {}).get("dlcore", {}).get("best")
    return None if best is None else float(best)


def _dry_run(trainer: Trainer, runner: Runner, batch: Batch, loaded: LoadedConfig) -> None:
    """One batch, one backward, one evaluated batch: what fails later fails now."""
    with untouched(runner.model, trainer.device):
        if isinstance(runner, PoseTrainingRunner):
            runner.check_targets(batch)
        try_step(runner, batch)
        if trainer.data.evaluation is None:
            return
        evaluation = trainer.data.evaluation.epoch(0)
        first = to_device(
            next(evaluation),
            trainer.device,
            trainer.data.eval_normalization,
            trainer.memory_format,
        )
        metrics = runner.evaluate([first], trainer.data.eval_records)
    known = sorted(n.removeprefix("metrics/") for n in metrics if n.startswith("metrics/"))
    wanted = loaded.config.runner.key_metric
    if wanted not in known:
        raise loaded.problem(
            "runner.key_metric", f"{wanted!r} is not measured; choose one of {', '.join(known)}"
        )


def _loggers(loaded: LoadedConfig, host: PluginHost, folder: RunFolder, epoch: int) -> list[Logger]:
    run = RunInfo(folder.path, "pose", epoch)
    blocks = list(loaded.config.loggers)
    if not any(str(block["type"]).endswith(ALWAYS_ON) for block in blocks):
        if ALWAYS_ON in {entry.name for entry in host.registries["loggers"]}:
            blocks.insert(0, {"type": ALWAYS_ON})
        else:
            LOGGER.warning("no plugin offers %s: there will be no table of losses", ALWAYS_ON)
    return [build(host, "loggers", block, run, key="logger") for block in blocks]


def _announce(model: nn.Module, device: torch.device, precision: Precision, epochs: int) -> None:
    count = sum(parameter.numel() for parameter in model.parameters())
    LOGGER.info(
        "training %.2f million weights on %s in %s until epoch %d",
        count / 1e6,
        device,
        precision.name,
        epochs,
    )
