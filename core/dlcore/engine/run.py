"""A whole run: from a loaded config to a folder with snapshots."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import torch

import dlcore
from dlcore.config.loading import LoadedConfig
from dlcore.engine.devices import resolve_device
from dlcore.engine.prepare import prepare
from dlcore.engine.request import RunRequest
from dlcore.engine.resume import (
    RESUME_FILE,
    configured_snapshot,
    find_resume_snapshot,
    load_resume_state,
    progress,
)
from dlcore.engine.run_folder import LOG_FILE, LOGGER, MANIFEST, RESOLVED_CONFIG, RunFolder
from dlcore.engine.setup import load_run_data
from dlcore.engine.snapshots import list_snapshots
from dlcore.engine.trainer import Trainer
from dlcore.errors import ConfigError, TrainingError
from dlcore.plugin_host import PluginHost

STATISTICS = "learning_stats.csv"


def train(loaded: LoadedConfig, host: PluginHost, request: RunRequest) -> RunFolder:
    """Train what the config describes.

    Raises:
        DlcoreError: If something is wrong, in words for the user.
        KeyboardInterrupt: After Ctrl-C, when the state is saved.
    """
    source = _where_to_start(loaded, request)
    if source is None:
        _make_room(request)
    folder = RunFolder(request.output)
    with folder.log_to_file():
        LOGGER.info("dlcore %s, run folder %s", dlcore.__version__, folder.path)
        for notice in loaded.notices:
            LOGGER.info("config: %s", notice)
        try:
            _train_in(folder, loaded, host, request, source)
        except ConfigError as error:
            raise error if error.path is not None else loaded.located(error) from error
    return folder


def _where_to_start(loaded: LoadedConfig, request: RunRequest) -> Path | None:
    if request.resume is True:
        return find_resume_snapshot(request.output)
    if request.resume:
        return Path(request.resume)
    if loaded.config.resume_training_from:
        return configured_snapshot(loaded.config.resume_training_from, loaded.path)
    return None


def _make_room(request: RunRequest) -> None:
    names = (RESUME_FILE, STATISTICS, RESOLVED_CONFIG, MANIFEST, LOG_FILE)
    left = [s.path for s in list_snapshots(request.output)]
    left += [request.output / n for n in names if (request.output / n).exists()]
    if not any(path.suffix == ".pt" for path in left):
        return
    if not request.overwrite:
        raise TrainingError(
            f"{str(request.output)!r} already holds a run ({left[0].name}); go on with it "
            f"(--resume), train elsewhere (--output DIR), or move it out of the way (--overwrite)"
        )
    place = request.output / f"replaced-{datetime.now():%Y%m%d-%H%M%S}"
    place.mkdir()
    for path in left:
        shutil.move(path, place / path.name)
    LOGGER.info("moved the former run to %s", place)


def _train_in(
    folder: RunFolder,
    loaded: LoadedConfig,
    host: PluginHost,
    request: RunRequest,
    source: Path | None,
) -> None:
    config = loaded.config
    content = load_resume_state(source) if source is not None else None
    if content is not None:
        epoch, step = progress(content)
        if epoch >= config.train_settings.epochs:
            raise TrainingError(
                f"{str(source)!r} has {epoch} of {config.train_settings.epochs} epochs: the run is "
                f"complete; `epochs` is the total, so train on with "
                f"--set train_settings.epochs={epoch + 50}"
            )
        LOGGER.info("resuming from %s: %d epochs and %d steps are done", source, epoch, step)
    if config.method != "bu":
        raise loaded.problem(
            "method", f"{config.method!r} cannot be trained yet, only bottom-up models ('bu')"
        )
    device = resolve_device(request.device or config.device, config.runner.gpus)
    torch.manual_seed(config.train_settings.seed)
    pin_memory = device.type == "cuda"
    data = load_run_data(loaded, host, pin_memory=pin_memory)
    try:
        trainer = prepare(folder, loaded, host, request, data, device, content)
        _fit(trainer, folder, config.train_settings.epochs)
    finally:
        data.close()


def _fit(trainer: Trainer, folder: RunFolder, epochs: int) -> None:
    try:
        trainer.fit()
    except KeyboardInterrupt:
        done = trainer.progress
        LOGGER.info(
            "interrupted after %d epochs and %d steps; everything is saved. Go on with --resume",
            done.epoch,
            done.state.step,
        )
        raise
    finally:
        for logger in list(trainer.loggers):
            trainer.tell(logger, logger.close)
        _draw_curves(folder)
    LOGGER.info("done: %d epochs, snapshots in %s", epochs, folder.path)


def _draw_curves(folder: RunFolder) -> None:
    statistics = folder.path / STATISTICS
    if statistics.is_file():
        from dlcore.engine.curves import draw_learning_curves

        try:
            draw_learning_curves(statistics, folder.path / "learning_curves.png")
        except (ValueError, OSError) as error:
            LOGGER.warning("the learning curves were not drawn: %s", error)
