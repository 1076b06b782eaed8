"""Predictions of a snapshot step by step, for comparisons with other programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dlcore.config.loading import load_config
from dlcore.config.schema import RunConfig
from dlcore.data.crops import one_individual
from dlcore.data.device import to_device
from dlcore.data.images import image_size
from dlcore.data.loader import BatchLoader
from dlcore.engine.assembly import build_detector, build_model, input_size_of
from dlcore.engine.detector_runner import Detections, detect
from dlcore.engine.evaluation import Predictions, collect_predictions
from dlcore.engine.identities import by_identity, identity_scores
from dlcore.engine.setup import build_chain, crop_of, normalization_of
from dlcore.engine.snapshots import load_snapshot, load_weights
from dlcore.interfaces import Batch, PoseTask, Record
from dlcore.plugin_host import PluginHost


@dataclass
class Seen:
    """One call of a network.

    Attributes:
        image: (1, 3, H, W), what entered it.
        outputs: What left it: head to output name to array.
        poses: (N, K, 3) in pixels of the original image, NaN where nothing was found.
        unique: (1, U, 3) likewise, or None.
        identity: (N, K, individuals), or None.
    """

    image: np.ndarray
    outputs: dict[str, dict[str, np.ndarray]]
    poses: np.ndarray
    unique: np.ndarray | None
    identity: np.ndarray | None


def task_of(config: RunConfig) -> PoseTask:
    metadata = config.metadata
    return PoseTask(
        tuple(metadata.bodyparts),
        tuple(metadata.unique_bodyparts),
        tuple(metadata.individuals),
        bool(metadata.with_identity),
    )


@torch.no_grad()
def predict(
    host: PluginHost,
    config_path: Path,
    snapshot: Path,
    images: Sequence[Path],
    boxes: Sequence[np.ndarray] | None = None,
) -> list[Seen]:
    """What a snapshot gives, image by image, or with `boxes` (per image) box by box."""
    config = load_config(config_path, host).config
    task = task_of(config)
    model = build_model(host, config, task, fresh=False).eval()
    load_weights(model, load_snapshot(snapshot)["model"], snapshot)
    more = []
    if boxes is not None:
        more = [crop_of(config.data.inference, input_size_of(model))]
        task = one_individual(task)
    records = list(_records(images, task, boxes))
    seen = []
    for batch in _batches(host, config.data.inference, records, task, more):
        outputs = model(batch.images)
        decoded = model.predict(outputs)
        found = Predictions(len(records))
        collect_predictions(found, batch, decoded)
        index = int(batch.indices)
        identity = None
        if "identity" in decoded:
            poses = decoded["bodypart"]["poses"]
            scores = identity_scores(poses, decoded["identity"]["heatmap"])[0].double().numpy()
            both = np.concatenate([poses[0].double().numpy()[..., :3], scores], axis=2)
            identity = by_identity(both, scores)[..., 3:]
        plain = {
            head: {name: value.numpy() for name, value in named.items()}
            for head, named in outputs.items()
        }
        seen.append(
            Seen(batch.images.numpy(), plain, found.poses[index], found.unique[index], identity)
        )
    return seen


def find_boxes(
    host: PluginHost, config_path: Path, snapshot: Path, images: Sequence[Path]
) -> list[Detections]:
    """What the detector of a top-down config finds, the best of each image."""
    config = load_config(config_path, host).config
    task = task_of(config)
    detector = build_detector(host, config, fresh=False).eval()
    load_weights(detector, load_snapshot(snapshot)["model"], snapshot)
    records = list(_records(images, task, None))
    return [
        found
        for batch in _batches(host, config.detector.data.inference, records, task)
        for found in detect(detector, batch, max_detections=task.num_individuals)
    ]


def _records(
    images: Sequence[Path], task: PoseTask, boxes: Sequence[np.ndarray] | None
) -> Iterator[Record]:
    for number, path in enumerate(images):
        for box in [None] if boxes is None else boxes[number]:
            some = 0 if box is None else 1
            yield Record(
                image=path,
                size=image_size(path),
                keypoints=np.zeros((some, task.num_keypoints, 3), np.float32),
                unique_keypoints=np.zeros((0, 3), np.float32),
                individual_ids=np.zeros(some, np.int64),
                boxes=None if box is None else np.array([box], np.float64),
            )


def _batches(host, section, records, task, more=()) -> Iterator[Batch]:
    chain = build_chain(host, section.transforms, task, "data", more=more, inference=True)
    loader = BatchLoader(records, task, chain, batch_size=1, shuffle=False, seed=0)
    normalization = normalization_of(section)
    for batch in loader.epoch(0):
        yield to_device(batch, "cpu", normalization, torch.contiguous_format)
