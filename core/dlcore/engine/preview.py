"""Samples as a network gets them, on one picture."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from dlcore.config.loading import LoadedConfig
from dlcore.engine.assembly import build_model, input_size_of
from dlcore.engine.pictures import Image, Points, draw_sample
from dlcore.engine.setup import RunData, find_dataset, load_run_data
from dlcore.engine.stages import Stage
from dlcore.errors import DataError
from dlcore.interfaces import Batch, PoseTask, Record
from dlcore.plugin_host import PluginHost

FORMATS = (".png", ".jpg", ".jpeg", ".webp")

_BACKGROUND = 40
_GAP = 4


def draw_preview(
    loaded: LoadedConfig,
    host: PluginHost,
    stage: Stage,
    *,
    train: bool = True,
    count: int = 12,
    epoch: int = 1,
) -> Image:
    """Draw samples after the transforms, crops and collate, before the mean colour is taken off.

    A training with the same config sees the same ones in the same order.

    Args:
        loaded: The config.
        host: Where components are found.
        stage: Whose samples; those of a top-down pose model are crops.
        train: Of the training images with their augmentation, else of those for evaluation.
        count: How many; of evaluation, no more than there are.
        epoch: The first epoch. Where it has fewer samples, those of the next ones follow.

    Returns:
        (H, W, 3) RGB.

    Raises:
        DlcoreError: If the data or the config are not right, in words for the user.
    """
    dataset = find_dataset(loaded, host)
    input_size = None
    if stage.name == "pose" and loaded.config.method != "bu":
        input_size = input_size_of(build_model(host, loaded.config, dataset.task, fresh=False))
    here = stage.settings.model_copy(update={"dataloader_workers": 0, "cache_gb": 0.0})
    stage = replace(stage, settings=here)
    data = load_run_data(loaded, host, dataset, stage, input_size=input_size, pin_memory=False)
    try:
        loader = data.train if train else data.evaluation
        if loader is None:
            raise DataError("there are no images for evaluation; take --split train")
        records = data.train_records if train else data.eval_records
        tiles: list[Image] = []
        epochs = itertools.count(epoch) if train else [0]
        batches = itertools.chain.from_iterable(map(loader.epoch, epochs))
        while len(tiles) < count and (batch := next(batches, None)) is not None:
            tiles += _tiles(batch, records, data)
    finally:
        data.close()
    return arrange(tiles[:count])


def arrange(tiles: Sequence[Image]) -> Image:
    """Put pictures side by side, in about as many columns as rows."""
    columns = math.ceil(math.sqrt(len(tiles)))
    rows = math.ceil(len(tiles) / columns)
    height, width = np.max([tile.shape[:2] for tile in tiles], axis=0) + _GAP
    sheet = np.full((rows * height - _GAP, columns * width - _GAP, 3), _BACKGROUND, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def write_picture(path: Path, picture: Image) -> None:
    """Write a picture in the format that the name of the file says.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(path.suffix.lower(), picture[..., ::-1])
    assert done
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_bytes(encoded.tobytes())
    temporary.replace(path)


def _tiles(batch: Batch, records: Sequence[Record], data: RunData) -> Iterator[Image]:
    for row, index in enumerate(batch.indices.tolist()):
        image = batch.images[row].permute(1, 2, 0).contiguous().numpy()
        height, width = image.shape[:2]
        yield draw_sample(
            image,
            _points(batch, row, data.task),
            batch.labels.boxes[row].numpy(),
            f"{records[index].image.name}, {width}x{height}",
        )


def _points(batch: Batch, row: int, task: PoseTask) -> list[Points]:
    truth = batch.labels.keypoints[row].numpy()
    rough = np.zeros((0, task.num_keypoints, 3), np.float32)
    if batch.conditions is not None:
        conditions = batch.conditions[row]
        known = conditions[:, 2:] > 0
        rough = torch.where(known, conditions, torch.nan)[None].numpy()
    kinds = [Points(truth, rough, task.skeleton)]
    if task.unique_keypoints and batch.labels.unique_keypoints.shape[1]:
        unique = batch.labels.unique_keypoints[row][None].numpy()
        kinds.append(Points(unique, unique[:0]))
    return kinds
