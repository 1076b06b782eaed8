"""From a trained run to a pose estimator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlcore.data.chain import TransformChain
from dlcore.data.crops import one_individual
from dlcore.engine.assembly import (
    build_detector,
    build_model,
    build_ready_detector,
    input_size_of,
)
from dlcore.engine.precision import Precision
from dlcore.engine.setup import build_chain, crop_of, normalization_of
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
from dlcore.inference.network import Computation, PoseNetwork, Preparation
from dlcore.inference.trained_run import TrainedRun


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
) -> PoseEstimator[Any]:
    """The networks of a run, ready to find poses.

    Args:
        run: What was trained.
        snapshot: Of the pose model; see `TrainedRun.snapshot`.
        detector_snapshot: Of the detector of a top-down model, likewise.
        conditions: For a conditional model, goes before `inference.conditions` of the config.
        device: Where to compute; the CPU by default.
        precision: "fp32", "bf16" or "fp16".
        batch_size: Images, or crops, at once; that of the training by default.
        with_detector: Whether a top-down model looks for boxes; else all images must have theirs.

    Raises:
        DlcoreError: If a snapshot is missing or does not fit, or conditions cannot be had.
    """
    device = device or torch.device("cpu")
    config, host, task = run.loaded.config, run.host, run.task
    computation = Computation(
        device, Precision(precision, device.type), config.runner.channels_last
    )
    size = batch_size or config.train_settings.batch_size
    path = run.snapshot(snapshot)
    model = build_model(host, config, task, fresh=False)
    load_weights(model, load_snapshot(path)["model"], path)
    section = config.data.inference
    crops = []
    if config.method != "bu":
        with_context = config.method == "td"
        crops.append(crop_of(section, input_size_of(model), with_context=with_context))
    chain = build_chain(
        host, section.transforms, task, "data.inference", more=crops, inference=True
    )
    seen = task if config.method == "bu" else one_individual(task)
    network = PoseNetwork(
        model, seen, Preparation(chain, seen, size), normalization_of(section), computation
    )
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
    size = batch_size or stage.settings.batch_size
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
