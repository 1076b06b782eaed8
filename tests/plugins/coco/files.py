"""Small datasets in COCO's format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

NAMES = ("nose", "leftear", "rightear")
SIZE = (60, 40)  # width, height


def person(image_id: int, annotation_id: int, x: float = 10, **changes: Any) -> dict[str, Any]:
    """An individual whose keypoints stand in a row from (x, 5)."""
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [value for k in range(len(NAMES)) for value in (x + 5 * k, 5, 2)],
        "bbox": [x, 0, 20, 10],
        "iscrowd": 0,
        **changes,
    }


def content(num_images: int = 2, annotations: Sequence[dict[str, Any]] | None = None) -> Any:
    images = [
        {"id": i, "file_name": f"img{i}.png", "width": SIZE[0], "height": SIZE[1]}
        for i in range(1, num_images + 1)
    ]
    if annotations is None:
        annotations = [person(i, 10 * i) for i in range(1, num_images + 1)]
    category = {"id": 1, "name": "animal", "keypoints": list(NAMES), "skeleton": [[1, 2], [1, 3]]}
    return {"images": images, "annotations": list(annotations), "categories": [category]}


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_images(folder: Path, num_images: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(1, num_images + 1):
        image = np.full((SIZE[1], SIZE[0], 3), 40 + i, dtype=np.uint8)
        assert cv2.imwrite(str(folder / f"img{i}.png"), image)


def write_dataset(root: Path, train: Any = None, test: Any = None) -> Path:
    write_json(root / "train.json", content() if train is None else train)
    write_json(root / "test.json", content(1) if test is None else test)
    write_images(root / "images", 4)
    return root
