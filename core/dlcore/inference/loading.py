"""From a trained run to a pose estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from dlcore.data.chain import TransformChain
from dlcore.engine.allocator import keep_freed_memory
from dlcore.engine.assembly import build_detector, build_ready_detector
from dlcore.engine.precision import precision_of
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.setup import build_chain, normalization_of
from dlcore.engine.snapshots import list_snapshots, load_snapshot, load_weights
from dlcore.errors import SnapshotError
from dlcore.inference.condition_sources import FileConditions, file_of, no_conditions, run_of
from dlcore.inference.estimators import (
    BottomUpEstimator,
    BoxFinder,
    ConditionalEstimator,
    PoseEstimator,
    TopDownEstimator,
)
from dlcore.inference.exported import open_exported, require_fp32, uses_torch
from dlcore.inference.network import (
    Computation,
    Decoded,
    PoseNetwork,
    Preparation,
    TorchNetwork,
)
from dlcore.inference.parts import pose_parts
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import Batch


def load_estimator(
    run: TrainedRun,
    *,
    snapshot: str | Path | None = None,
    detector_snapshot: str | Path | None = None,
    conditions: str | Mapping[str, Any] | None = None,
    device: torch.device | None = None,
    precision: str = "fp32",
    batch_size: int | None = None,
    with_detector: bool = True,
    backend: str | Mapping[str, Any] | None = None,
    exported: str | Path | None = None,
) -> PoseEstimator[Any]:
    """The networks of a run, ready to find poses.

    On a CPU the process keeps the memory that it frees from now on: predicting is several times
    faster so.

    Args:
        run: What was trained.
        snapshot: Of the pose model; see `TrainedRun.snapshot`.
        detector_snapshot: Of the detector of a top-down model, likewise.
        conditions: For a conditional model, goes before `inference.conditions` of the config.
        device: Where to compute; the CPU by default.
        precision: "fp32", "bf16", "fp16", or "auto" for the fastest that the device has.
        batch_size: Images, or crops, at once; that of the training by default.
        with_detector: Whether a top-down model looks for boxes; else all images must have theirs.
        backend: What computes the poses: "torch", which is the default, or the name or the block of
            an inference backend, which runs a file of `dlcore export`. Detectors, and the models
            that give rough poses, always compute in torch.
        exported: That file; by default the one that lies in the folder of the run.

    Raises:
        DlcoreError: If a snapshot is missing or does not fit, conditions cannot be had, or there is
            no exported network of this snapshot.
    """
    device = device or torch.device("cpu")
    if device.type == "cpu":
        keep_freed_memory()
    config, task = run.loaded.config, run.task
    in_torch = uses_torch(backend)
    arithmetic = precision_of(precision if in_torch or precision != "auto" else "fp32", device)
    if precision == "auto":
        LOGGER.info("precision: %s", arithmetic.name)
    computation = Computation(device, arithmetic, config.runner.channels_last)
    size = batch_size or config.train_settings.images_at_once
    path = run.snapshot(snapshot)
    parts = pose_parts(run, size)
    compute: Callable[[Batch], Decoded]
    if in_torch:
        load_weights(parts.model, load_snapshot(path)["model"], path)
        compute = TorchNetwork(parts.model, parts.task, parts.normalization, computation, fold=True)
    else:
        require_fp32(arithmetic.name)
        compute = open_exported(run, parts, path, backend, exported, device)
    network = PoseNetwork(compute, parts.task, parts.preparation)
    if config.method == "td":
        finder = None
        if with_detector:
            finder = _box_finder(run, detector_snapshot, computation, batch_size)
        return TopDownEstimator(network, task, finder)
    if config.method == "ctd":
        given = conditions if conditions is not None else config.inference.conditions
        source = _rough_poses(run, given, device, precision, size)
        return ConditionalEstimator(network, task, source, margin=config.data.bbox_margin)
    return BottomUpEstimator(network)


def _box_finder(
    run: TrainedRun,
    snapshot: str | Path | None,
    computation: Computation,
    batch_size: int | None,
) -> BoxFinder:
    stage, host, config = run.stage("detector"), run.host, run.loaded.config
    detector = None
    if snapshot is None and not list_snapshots(run.folder, stage.snapshot_prefix):
        detector = build_ready_detector(host, config)
    if detector is None:
        try:
            path = run.snapshot(snapshot, "detector")
        except SnapshotError as error:
            raise SnapshotError(
                f"{error}; train one with --stage detector, or name one with --detector-snapshot"
            ) from error
        detector = build_detector(host, config, fresh=False)
        load_weights(detector, load_snapshot(path)["model"], path)
    section = stage.data.inference
    chain: TransformChain = build_chain(
        host, section.transforms, run.task, stage.key("data.inference"), inference=True
    )
    size = batch_size or stage.settings.images_at_once
    return BoxFinder(
        detector,
        Preparation(chain, run.task, size),
        normalization_of(section),
        computation,
        max_boxes=run.task.num_individuals,
    )


def _rough_poses(
    run: TrainedRun,
    conditions: str | Mapping[str, Any] | None,
    device: torch.device,
    precision: str,
    batch_size: int,
) -> Any:
    """What a conditional model asks for rough poses."""
    if conditions is None:
        return no_conditions
    file = file_of(conditions, run.place.parent)
    if file is not None:
        return FileConditions(file, run.task)
    assert not isinstance(conditions, str)
    other, snapshot = run_of(conditions, run.place, run.host)
    if other.task.keypoints != run.task.keypoints:
        raise SnapshotError(
            f"the model of {str(other.folder)!r} finds {', '.join(other.task.keypoints)}, but "
            f"{', '.join(run.task.keypoints)} are wanted: inference.conditions must name a model "
            f"of the same bodyparts in the same order"
        )
    return load_estimator(
        other, snapshot=snapshot, device=device, precision=precision, batch_size=batch_size
    )
