"""A tiny labelled data set on disk, in the COCO format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dlcore.interfaces import PoseTask, Sample
from dlcore.testing.fakes import draw_points, fake_sample, fake_task


def write_dataset(
    folder: Path,
    *,
    task: PoseTask | None = None,
    train: int = 6,
    test: int = 2,
    size: tuple[int, int] = (64, 64),
    seed: int = 0,
) -> Path:
    """Draw images with a disc at each keypoint and write them with their labels.

    The folder holds `images/*.png`, `annotations/train.json` and `annotations/test.json`. In
    every third image one keypoint is not labelled, and where there are several individuals the
    last one is absent.

    Args:
        folder: Made if it is missing.
        task: The keypoints and the number of individuals; three keypoints of one individual by
            default. Unique keypoints cannot be written in this format.
        train: Number of training images.
        test: Number of test images.
        size: (width, height) of the images.
        seed: Chooses places and backgrounds.

    Returns:
        The folder.

    Raises:
        ValueError: If the task has unique keypoints.
    """
    task = task or fake_task()
    if task.unique_keypoints:
        raise ValueError("the COCO format has no unique keypoints")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    first = 0
    for split, number in (("train", train), ("test", test)):
        samples = [_sample(task, size, seed, first + i) for i in range(number)]
        content = _coco(task, samples, [f"{split}_{i:03d}.png" for i in range(number)])
        for image, sample in zip(content["images"], samples, strict=True):
            path = folder / "images" / image["file_name"]
            if not cv2.imwrite(str(path), cv2.cvtColor(sample.image, cv2.COLOR_RGB2BGR)):
                raise OSError(f"cannot write {str(path)!r}")
        text = json.dumps(content, indent=1)
        (folder / "annotations" / f"{split}.json").write_text(text, encoding="utf-8")
        first += number
    return folder


def _sample(task: PoseTask, size: tuple[int, int], seed: int, index: int) -> Sample:
    special = index % 3 == 2
    num = max(1, task.num_individuals - special)
    sample = fake_sample(task, size, seed=1000 * seed + index, num_individuals=num)
    if special:
        sample.keypoints[0, index % task.num_keypoints] = 0
    sample.image = draw_points(sample.keypoints.reshape(-1, 3), size, seed=1000 * seed + index)
    return sample


def _coco(task: PoseTask, samples: list[Sample], names: list[str]) -> dict[str, Any]:
    annotations = [
        {
            "image_id": image_id,
            "category_id": 1,
            "keypoints": np.round(points.astype(np.float64), 2).reshape(-1).tolist(),
            "num_keypoints": int((points[:, 2] > 0).sum()),
            "bbox": np.round(box.astype(np.float64), 2).tolist(),
            "area": round(float(box[2]) * float(box[3]), 2),
            "iscrowd": 0,
        }
        for image_id, sample in enumerate(samples, start=1)
        for points, box in zip(sample.keypoints, sample.boxes, strict=True)
    ]
    for annotation_id, annotation in enumerate(annotations, start=1):
        annotation["id"] = annotation_id
    return {
        "images": [
            {
                "id": image_id,
                "file_name": name,
                "width": sample.image.shape[1],
                "height": sample.image.shape[0],
            }
            for image_id, (name, sample) in enumerate(zip(names, samples, strict=True), start=1)
        ],
        "annotations": annotations,
        "categories": [
            {
                "id": 1,
                "name": "animal",
                "keypoints": list(task.keypoints),
                "skeleton": [[i + 1, j + 1] for i, j in task.skeleton],
            }
        ],
    }
