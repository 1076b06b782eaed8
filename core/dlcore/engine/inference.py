"""Predict the images of a dataset's split with a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from dlcore.config.loading import LoadedConfig
from dlcore.data.device import to_device
from dlcore.data.loader import BatchLoader
from dlcore.engine.assembly import build_model
from dlcore.engine.evaluation import Predictions, collect_predictions
from dlcore.engine.setup import find_dataset, inference_chain, normalization_of
from dlcore.engine.snapshots import load_snapshot, load_weights
from dlcore.interfaces import PoseTask, Record
from dlcore.plugin_host import PluginHost


@dataclass(frozen=True)
class PredictedSplit:
    """The truth about a split's images and what a model says, in pixels of the images.

    Attributes:
        task: The names behind the numbers.
        records: The labelled images.
        predictions: In the same order.
    """

    task: PoseTask
    records: list[Record]
    predictions: Predictions


@torch.no_grad()
def predict_split(
    loaded: LoadedConfig,
    host: PluginHost,
    snapshot: Path,
    split: str,
    device: torch.device,
) -> PredictedSplit:
    """Predict every image of a split.

    Args:
        loaded: The config of the run.
        host: Where components are found.
        snapshot: The weights.
        split: "train", "test" or what else the dataset has.
        device: Where to compute.

    Raises:
        DlcoreError: If the snapshot does not fit the config, or images are missing.
    """
    config = loaded.config
    dataset = find_dataset(loaded, host)
    records = dataset.records(split)
    content = load_snapshot(snapshot)
    model = build_model(host, config, dataset.task, fresh=False)
    load_weights(model, content["model"], snapshot)
    model = model.to(device).eval()
    loader = BatchLoader(
        records,
        dataset.task,
        inference_chain(config, host, dataset.task),
        batch_size=config.train_settings.batch_size,
        shuffle=False,
        seed=config.train_settings.seed,
        box_margin=config.data.bbox_margin,
    )
    predictions = Predictions(len(records))
    normalization = normalization_of(config.data.inference)
    try:
        for batch in loader.epoch(0):
            batch = to_device(batch, device, normalization, torch.contiguous_format)
            collect_predictions(
                predictions, batch, model.predict(model(batch.images, batch.conditions))
            )
    finally:
        loader.close()
    return PredictedSplit(dataset.task, records, predictions)
