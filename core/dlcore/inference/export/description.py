"""What is said about an exported network: in the file, and in the JSON beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from dlcore.data.crops import BareCrop, TopDownCrop
from dlcore.inference.export.network import Output
from dlcore.inference.exported import IMAGES, hash_of_file, hash_of_settings
from dlcore.inference.parts import PoseParts
from dlcore.inference.trained_run import TrainedRun
from dlcore.interfaces import ExportInput

_MEANINGS = {
    "poses": "x, y, score of each keypoint in pixels of the input, by image, individual and "
    "keypoint; scores below 0 mean that there is no such individual, NaN no such keypoint",
    "heatmap": "by image, row, column and individual: who is there",
}
"""Of what predictors give."""


def describe(
    run: TrainedRun,
    parts: PoseParts,
    snapshot: Path,
    inputs: Sequence[ExportInput],
    outputs: Sequence[tuple[Output, Tensor]],
    *,
    size_multiple: int | None,
    format: str,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """All that a program needs to know that runs the file without dlcore; plain values.

    Args:
        run: What was trained.
        parts: Of its pose network.
        snapshot: The file of the weights.
        inputs: With their examples.
        outputs: With what they are for these examples.
        size_multiple: What the sides of images must be multiples of; None if they have one size.
        format: The exporter.
        versions: Of what took part in exporting.
    """
    config, task = run.loaded.config, run.task
    height, width = inputs[0].example.shape[2:]
    heads = {output.head: output.decoded for output, _ in outputs}
    return {
        "format": format,
        "net_type": config.net_type,
        "method": config.method,
        "snapshot": snapshot.name,
        "snapshot_sha256": hash_of_file(snapshot),
        "settings_sha256": hash_of_settings(run, parts.normalization),
        "keypoints": list(task.keypoints),
        "unique_keypoints": list(task.unique_keypoints),
        "individuals": list(task.individuals),
        "skeleton": [list(pair) for pair in task.skeleton],
        "inputs": [_input(one) for one in inputs],
        "size": None if size_multiple is not None else [width, height],
        "size_multiple": size_multiple,
        "normalization": {
            "included": True,
            "mean": list(parts.normalization.mean),
            "std": list(parts.normalization.std),
        },
        "preparation": {
            "transforms": config.data.inference.transforms,
            "crop": None if parts.crop is None else _crop(parts.crop),
        },
        "detector_included": False if config.method == "td" else None,
        "strides": {head: parts.model.strides[head] for head in heads},
        "decoding_included": heads,
        "outputs": [_output(output, tensor) for output, tensor in outputs],
        "versions": dict(versions),
    }


def _input(one: ExportInput) -> dict[str, Any]:
    shape = [one.dynamic.get(axis, length) for axis, length in enumerate(one.example.shape)]
    dtype = str(one.example.dtype).removeprefix("torch.")
    if one.name == IMAGES:
        return {"name": one.name, "shape": shape, "dtype": dtype, "layout": "NCHW", "colors": "RGB"}
    meaning = "x, y, score of the rough pose in pixels of the images"
    return {"name": one.name, "shape": shape, "dtype": dtype, "meaning": meaning}


def _output(output: Output, tensor: Tensor) -> dict[str, Any]:
    meaning = _MEANINGS.get(output.output, "") if output.decoded else "what the head gives"
    return {
        "name": output.name,
        "head": output.head,
        "output": output.output,
        "decoded": output.decoded,
        "example_shape": list(tensor.shape),
        "meaning": meaning,
    }


def _crop(crop: TopDownCrop) -> dict[str, Any]:
    width, height = crop.size
    return {
        "width": width,
        "height": height,
        "margin": crop.margin,
        "with_context": not isinstance(crop, BareCrop),
    }
