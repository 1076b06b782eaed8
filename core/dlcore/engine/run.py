"""A whole run: from a loaded config to a folder with snapshots."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

import dlcore
from dlcore.config.loading import LoadedConfig
from dlcore.data.device import to_device
from dlcore.engine.allocator import keep_freed_memory
from dlcore.engine.assembly import build_detector, build_model, input_size_of
from dlcore.engine.batch_size import BatchSize, choose_batch_size
from dlcore.engine.devices import resolve_device
from dlcore.engine.distributed import World, joined, world_here
from dlcore.engine.dry_run import OutOfMemoryError
from dlcore.engine.given_detector import check_given_detector, keep_given_detector
from dlcore.engine.interrupt import Interrupted
from dlcore.engine.prepare import memory_format_of, prepare, runner_maker, settle_precision
from dlcore.engine.profiled_trainer import ProfiledTrainer
from dlcore.engine.request import RunRequest
from dlcore.engine.resume import (
    configured_snapshot,
    find_resume_snapshot,
    former_batch_size,
    load_resume_state,
    progress,
)
from dlcore.engine.room import Room
from dlcore.engine.run_folder import LOGGER, RunFolder
from dlcore.engine.setup import RunData, find_dataset, load_run_data
from dlcore.engine.snapshots import Content, load_weights
from dlcore.engine.stages import Stage, stage_named, stages_of, with_batch_size
from dlcore.engine.status import RunStatus
from dlcore.engine.trainer import Trainer
from dlcore.engine.transfer import apply_weight_init, transfer_weights
from dlcore.errors import ConfigError, SnapshotError, TrainingError
from dlcore.interfaces import PoseDataset
from dlcore.plugin_host import PluginHost


def train(loaded: LoadedConfig, host: PluginHost, request: RunRequest) -> RunFolder:
    """Train what the config describes: a detector first where there is one, then the pose model.

    Raises:
        DlcoreError: If something is wrong, in words for the user.
        KeyboardInterrupt: After Ctrl-C, when the state is saved.
    """
    given = request.detector_snapshot
    if given is not None:
        check_given_detector(loaded, host, given, request.output)
    stages = stages_of(loaded.config, request.stage if given is None else "pose")
    if not stages:
        raise _nothing_to_train(loaded, request)
    sources = _where_to_start(loaded, request, stages)
    if request.init_from is not None and any(sources.values()):
        raise loaded.problem(
            "resume_training_from",
            "carries on a run, but --init-from starts a new one; leave one of them out",
        )
    world = world_here()
    with joined(world), _own_folder(request, world) as request:
        return _train(loaded, host, request, sources, stages, world)


@contextmanager
def _own_folder(request: RunRequest, world: World) -> Iterator[RunRequest]:
    """The request with the folder that a process writes to: of several only the first keeps it.

    The others do the same with a folder that nobody sees, so that nothing need be left out.
    """
    if world.is_first:
        yield request
        return
    with tempfile.TemporaryDirectory(prefix="dlcore-") as folder:
        yield replace(request, output=Path(folder))


def _train(
    loaded: LoadedConfig,
    host: PluginHost,
    request: RunRequest,
    sources: dict[str, Path | None],
    stages: list[Stage],
    world: World,
) -> RunFolder:
    given = request.detector_snapshot
    room = Room(request.output, overwrite=request.overwrite)
    if not any(sources.values()):
        room.for_new_run(stages)
    folder = RunFolder(request.output)
    status = RunStatus(folder.path)
    with folder.log_to_file(), status.until_the_end():
        LOGGER.info("dlcore %s, run folder %s", dlcore.__version__, folder.path)
        if world.size > 1:
            LOGGER.info("%d processes train together", world.size)
        for notice in loaded.notices:
            LOGGER.info("config: %s", notice)
        if given is not None:
            keep_given_detector(loaded, given, folder.path)
        try:
            gpus = loaded.config.runner.gpus
            device = resolve_device(request.device or loaded.config.device, gpus, world.local_rank)
            if device.type == "cpu":
                keep_freed_memory()
            run = _Run(loaded, host, request, world, folder, room, status, device)
            run.train(stages, sources)
        except ConfigError as error:
            raise error if error.path is not None else loaded.located(error) from error
    return folder


def _nothing_to_train(loaded: LoadedConfig, request: RunRequest) -> ConfigError:
    config = loaded.config
    if request.stage == "detector" and (config.method != "td" or config.detector is None):
        message = "there is none to train: `--stage detector` is for method: td with a detector"
        return loaded.problem("detector", message)
    prefix = "detector." if request.stage == "detector" else ""
    return loaded.problem(
        f"{prefix}train_settings.epochs", "is 0: there is nothing to train; set it above 0"
    )


def _where_to_start(
    loaded: LoadedConfig, request: RunRequest, stages: list[Stage]
) -> dict[str, Path | None]:
    """The snapshot that each stage goes on from, by the stage's name."""
    if request.resume is True:
        found: dict[str, Path | None] = {
            stage.name: find_resume_snapshot(request.output, stage) for stage in stages
        }
        if not any(found.values()):
            raise SnapshotError(
                f"there is nothing to resume in {str(request.output)!r}: it holds no resume file "
                f"and no snapshot; name one with --resume PATH, or leave --resume out to start anew"
            )
        return found
    sources: dict[str, Path | None] = {}
    for stage in stages:
        configured = stage.resume_training_from
        sources[stage.name] = configured_snapshot(configured, loaded.path) if configured else None
    if request.resume:
        named = _snapshot_named(Path(request.resume), stages)
        of_detector = "detector" in named.name and "detector" in sources
        sources["detector" if of_detector else "pose"] = named
    return sources


def _snapshot_named(path: Path, stages: list[Stage]) -> Path:
    """What `--resume PATH` means: a snapshot, or the latest state in the folder of a run."""
    if path.suffix in (".yaml", ".yml"):
        raise SnapshotError(f"--resume was given the config {str(path)!r}; write FILE before it")
    if path.is_dir():
        found = find_resume_snapshot(path, stages[-1])
        if found is None:
            raise SnapshotError(f"there is nothing to resume in the folder {str(path)!r}")
        return found
    return path


@dataclass(frozen=True)
class _Run:
    """What all stages of a run share."""

    loaded: LoadedConfig
    host: PluginHost
    request: RunRequest
    world: World
    folder: RunFolder
    room: Room
    status: RunStatus
    device: torch.device

    def train(self, stages: list[Stage], sources: dict[str, Path | None]) -> None:
        """Train the stages one after the other."""
        dataset: PoseDataset | None = None
        for stage in stages:
            source = sources.get(stage.name)
            content = load_resume_state(source, stage) if source is not None else None
            if source is not None and content is not None:
                if self._is_trained(stage, stages, source, content):
                    continue
                by_config = not self.request.resume
                self.room.for_resumed_stage(stage, source, content, by_config=by_config)
                done = progress(content)
                LOGGER.info("resuming from %s: %d epochs and %d steps are done", source, *done)
            if len(stages) > 1:
                LOGGER.info("stage: %s", stage.name)
            torch.manual_seed(self.loaded.config.train_settings.seed)
            dataset = dataset or find_dataset(self.loaded, self.host)
            self._train_stage(stage, dataset, source, content)

    def _is_trained(
        self, stage: Stage, stages: list[Stage], source: Path, content: Content
    ) -> bool:
        """Whether a stage is complete and another follows.

        Raises:
            TrainingError: If it is complete and the last one.
        """
        epoch, _ = progress(content)
        if epoch < stage.settings.epochs:
            return False
        message = f"{str(source)!r} has {epoch} of {stage.settings.epochs} epochs"
        if stage is not stages[-1]:
            LOGGER.info("%s: the %s is trained", message, stage.name)
            return True
        key = stage.key("train_settings.epochs")
        raise TrainingError(
            f"{message}: the run is complete; `epochs` is the total, so train on with "
            f"--set {key}={epoch + 50}"
        )

    def _train_stage(
        self, stage: Stage, dataset: PoseDataset, source: Path | None, content: Content | None
    ) -> None:
        model = _starting_model(self.loaded, self.host, self.request, stage, dataset, content)
        if content is not None and source is not None:
            load_weights(model, content["model"], source)
        data = load_run_data(
            self.loaded,
            self.host,
            dataset,
            stage,
            input_size=input_size_of(model),
            pin_memory=self.device.type == "cuda",
            world=self.world,
        )
        try:
            stage, loaded = self._with_batch_size(stage, model, data, content)
            trainer = prepare(
                self.folder,
                loaded,
                self.host,
                stage,
                model,
                data,
                self.device,
                content,
                self.room,
                self.world,
                profile=self.request.profile,
            )
            _fit(trainer, self.folder, stage, self.status)
        except OutOfMemoryError as error:
            advice = error.advice(stage.key("train_settings.batch_size"))
            raise TrainingError(f"{error}; {advice}") from error
        finally:
            data.close()

    def _with_batch_size(
        self, stage: Stage, model: nn.Module, data: RunData, content: Content | None
    ) -> tuple[Stage, LoadedConfig]:
        """The stage and the config with `batch_size: auto` settled, as before or by trying."""
        if stage.settings.batch_size != "auto":
            return stage, self.loaded
        former = former_batch_size(content, stage)
        if former is not None:
            images, reason = former, "as before"
        else:
            images, reason = self.world.of_first(self._try_batch_sizes(stage, model, data))
        LOGGER.info("%s: %d (%s)", stage.key("train_settings.batch_size"), images, reason)
        data.set_batch_size(images)
        config = with_batch_size(self.loaded.config, stage.name, images)
        return stage_named(config, stage.name), replace(self.loaded, config=config)

    def _try_batch_sizes(self, stage: Stage, model: nn.Module, data: RunData) -> BatchSize:
        layout = memory_format_of(stage)
        model.to(self.device).to(memory_format=layout)
        batch = next(data.train.epoch(1))
        batch = to_device(batch, self.device, data.train_normalization, layout)
        make_runner = runner_maker(self.host, self.loaded.config, stage, model, data.task)
        requested = stage.runner.precision
        precision, _ = settle_precision(requested, self.device, make_runner, batch, None)
        samples = len(data.train_records) // self.world.size
        return choose_batch_size(make_runner(precision), batch, samples)


def _starting_model(
    loaded: LoadedConfig,
    host: PluginHost,
    request: RunRequest,
    stage: Stage,
    dataset: PoseDataset,
    content: Content | None,
) -> nn.Module:
    """The model of a stage with the weights that a new run starts from."""
    config = loaded.config
    init_from = request.init_from
    if init_from is None and config.init_from:
        init_from = loaded.path.parent / Path(config.init_from).expanduser()
    weight_init = config.train_settings.weight_init
    if stage.name == "detector":
        return build_detector(host, config, fresh=content is None)
    fresh = content is None and init_from is None and not weight_init
    model = build_model(host, config, dataset.task, fresh=fresh)
    if content is not None:
        return model
    if init_from is not None:
        transfer_weights(model, init_from, dataset.task)
    elif weight_init:
        apply_weight_init(model, weight_init, loaded.path)
    return model


def _fit(trainer: Trainer, folder: RunFolder, stage: Stage, status: RunStatus) -> None:
    status.begin(stage.name)
    try:
        trainer.fit()
    except Interrupted:
        done = trainer.progress
        LOGGER.info(
            "interrupted after %d epochs and %d steps; everything is saved. Go on with --resume",
            done.epoch,
            done.state.step,
        )
        raise
    except KeyboardInterrupt:
        LOGGER.info("interrupted at once: what was done since the last save is lost")
        raise
    finally:
        trainer.data.close()
        for logger in list(trainer.loggers):
            trainer.tell(logger, logger.close)
        _draw_curves(folder.path / stage.statistics_file, folder.path / stage.curves_file)
        if isinstance(trainer, ProfiledTrainer):
            trainer.report(stage.statistics_file, stage.profile_file, stage.key(""))
    if trainer.progress.stopped and trainer.progress.epoch < stage.settings.epochs:
        LOGGER.info("stopped: %s", trainer.progress.stopped)
        status.stopped(trainer.progress.stopped)
    LOGGER.info("done: %d epochs, snapshots in %s", trainer.progress.epoch, folder.path)


def _draw_curves(statistics: Path, picture: Path) -> None:
    if statistics.is_file():
        from dlcore.engine.curves import draw_learning_curves

        try:
            draw_learning_curves(statistics, picture)
        except (ValueError, OSError) as error:
            LOGGER.warning("the learning curves were not drawn: %s", error)
