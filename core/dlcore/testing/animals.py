"""Drawn animals: a labelled dataset that needs nothing but the installation.

Lizards seen from above, with a bending spine, a tail and four legs, over varied backgrounds.
Written as an ordinary COCO dataset, so that whatever reads one can read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

KEYPOINTS = ("snout", "left_eye", "right_eye", "neck", "spine", "hip", "tail_middle", "tail_tip")
SKELETON = ((0, 3), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7))
SYMMETRIES = ((1, 2),)
LENGTH_ENDS = (0, 5)
"""The keypoints between which an animal's length is measured: snout to hip."""

_SHIFT = 4  # bits of sub-pixel precision in OpenCV's drawing

Points = npt.NDArray[np.float64]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Animal:
    """One drawn animal.

    Attributes:
        keypoints: (8, 2) x, y in pixels, in the order of `KEYPOINTS`.
    """

    keypoints: Points

    @property
    def length(self) -> float:
        """Pixels from snout to hip."""
        first, last = LENGTH_ENDS
        return float(np.linalg.norm(self.keypoints[first] - self.keypoints[last]))


def write_animals(
    folder: Path,
    *,
    num_train: int,
    num_test: int,
    size: int = 160,
    num_animals: int = 1,
    seed: int = 0,
) -> None:
    """Draw a dataset and write it as COCO: `images/`, `train.json`, `test.json`.

    Args:
        folder: Made if it does not exist.
        num_train: Training images.
        num_test: Test images; they share nothing with the others but the way they are drawn.
        size: Width and height of the images in pixels.
        num_animals: Animals in each image.
        seed: The same seed draws the same images.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for split, count in (("train", num_train), ("test", num_test)):
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            image, animals = draw_image(rng, size, num_animals)
            name = f"{split}{number:04d}.png"
            cv2.imwrite(str(folder / "images" / name), image[..., ::-1])
            images.append({"id": number, "file_name": name, "width": size, "height": size})
            for animal in animals:
                annotations.append(_annotation(animal, number, len(annotations), size))
        category = {
            "id": 1,
            "name": "lizard",
            "keypoints": list(KEYPOINTS),
            "skeleton": [[a + 1, b + 1] for a, b in SKELETON],
        }
        content = {"images": images, "annotations": annotations, "categories": [category]}
        (folder / f"{split}.json").write_text(json.dumps(content), encoding="utf-8")


def _annotation(animal: Animal, image_id: int, number: int, size: int) -> dict[str, Any]:
    points = animal.keypoints
    inside = ((points >= 0) & (points < size)).all(axis=1)
    flags = np.where(inside, 2, 0)
    keypoints = np.column_stack([points.round(2), flags]).ravel().tolist()
    low, high = points.min(axis=0).clip(0, size), points.max(axis=0).clip(0, size)
    width, height = (high - low).tolist()
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": keypoints,
        "num_keypoints": int(inside.sum()),
        "bbox": [*low.round(2).tolist(), round(width, 2), round(height, 2)],
        "area": round(width * height, 2),
    }


def draw_image(
    rng: np.random.Generator, size: int = 160, num_animals: int = 1
) -> tuple[Image, list[Animal]]:
    """Draw one image (size, size, 3), RGB, and say where its animals are."""
    image = _background(rng, size)
    animals = []
    for _ in range(num_animals):
        animal = _pose(rng, size)
        _draw(image, animal, rng)
        animals.append(animal)
    blurred = cv2.GaussianBlur(image, (3, 3), 0.6)
    noise = rng.normal(0, rng.uniform(1, 5), image.shape)
    return np.clip(blurred + noise, 0, 255).astype(np.uint8), animals


def _background(rng: np.random.Generator, size: int) -> Image:
    """A sandy to greenish ground: smooth patches, fine grain and a few stones."""
    low, high = np.array([90, 80, 50]), np.array([210, 200, 170])
    first, second = rng.uniform(low, high), rng.uniform(low, high)
    cells = int(rng.integers(3, 9))
    patches = cv2.resize(rng.random((cells, cells)), (size, size), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, rng.uniform(2, 12), (size, size, 1))
    weight = np.clip(patches, 0, 1)[..., None]
    image = np.clip(first * weight + second * (1 - weight) + grain, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(0, 7))):
        centre = rng.integers(0, size, 2)
        axes = rng.integers(2, max(size // 12, 3), 2)
        grey = int(rng.integers(50, 220))
        cv2.ellipse(
            image, _ints(centre), _ints(axes), float(rng.uniform(0, 180)), 0, 360,
            (grey, grey, max(grey - 15, 0)), -1, cv2.LINE_AA,
        )  # fmt: skip
    return image


def _pose(rng: np.random.Generator, size: int) -> Animal:
    """A random pose that lies inside the image."""
    scale = size * rng.uniform(0.13, 0.19)  # pixels from neck to hip, halved
    heading = rng.uniform(0, 2 * np.pi)
    bend = rng.normal(0, 0.3)
    sway = rng.normal(0, 0.5)
    angles = heading + np.array([bend, bend / 2, 0.0, -bend / 2 + sway, -bend + 2 * sway])
    steps = scale * np.array([0.9, 1.0, 1.0, 1.0, 0.9])
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    snout = np.zeros(2)
    neck = snout - steps[0] * directions[0]
    spine = neck - steps[1] * directions[1]
    hip = spine - steps[2] * directions[2]
    tail_middle = hip - steps[3] * directions[3]
    tail_tip = tail_middle - steps[4] * directions[4]
    # y points down: the left of somebody who looks along (dx, dy) is (dy, -dx)
    left = np.array([directions[0, 1], -directions[0, 0]])
    eyes = snout + 0.55 * (neck - snout)
    points = np.stack([
        snout, eyes + 0.3 * scale * left, eyes - 0.3 * scale * left,
        neck, spine, hip, tail_middle, tail_tip,
    ])  # fmt: skip
    extent = points.max(axis=0) - points.min(axis=0)
    margin = 0.06 * size
    free = np.maximum(size - 2 * margin - extent, 0)
    return Animal(points - points.min(axis=0) + margin + rng.uniform(0, 1, 2) * free)


def _draw(image: Image, animal: Animal, rng: np.random.Generator) -> None:
    snout, left_eye, right_eye, neck, spine, hip, tail_middle, tail_tip = animal.keypoints
    unit = float(np.linalg.norm(neck - spine))
    skin = rng.uniform([20, 45, 20], [110, 140, 80])
    dark = skin * 0.55
    for base, swing in ((neck, 0.35), (hip, -0.35)):
        along = (neck - hip) / np.linalg.norm(neck - hip)
        side = np.array([along[1], -along[0]])
        for sign in (1, -1):
            knee = base + unit * (0.5 * sign * side + (swing + rng.normal(0, 0.15)) * along)
            foot = knee + unit * (0.3 * sign * side + rng.normal(0, 0.15) * along)
            _line(image, base, knee, dark, 0.2 * unit)
            _line(image, knee, foot, dark, 0.14 * unit)
    _line(image, tail_middle, tail_tip, skin, 0.16 * unit)
    _line(image, hip, tail_middle, skin, 0.3 * unit)
    _line(image, spine, hip, skin, 0.55 * unit)
    _line(image, neck, spine, skin, 0.62 * unit)
    head = np.stack([
        snout, left_eye + 0.12 * (neck - snout), neck, right_eye + 0.12 * (neck - snout)
    ])  # fmt: skip
    cv2.fillConvexPoly(image, _fixed(head), skin.tolist(), cv2.LINE_AA, _SHIFT)
    _line(image, neck, hip, dark, 0.14 * unit)
    for eye in (left_eye, right_eye):
        _disc(image, eye, np.array([235.0, 225.0, 90.0]), 0.14 * unit)
        _disc(image, eye, np.array([10.0, 10.0, 10.0]), 0.07 * unit)
    _disc(image, snout, dark, 0.09 * unit)


def _line(image: Image, start: Points, end: Points, colour: Points, width: float) -> None:
    thickness = max(round(width), 1)
    ends = _fixed(np.stack([start, end]))
    cv2.line(
        image, tuple(ends[0].tolist()), tuple(ends[1].tolist()), colour.tolist(), thickness,
        cv2.LINE_AA, _SHIFT,
    )  # fmt: skip


def _disc(image: Image, centre: Points, colour: Points, radius: float) -> None:
    place = tuple(_fixed(centre[None])[0].tolist())
    pixels = max(round(radius * 2**_SHIFT), 2**_SHIFT)
    cv2.circle(image, place, pixels, colour.tolist(), -1, cv2.LINE_AA, _SHIFT)


def _fixed(points: Points) -> npt.NDArray[np.int32]:
    """Continuous pixels, with (0.5, 0.5) the centre of the first, to OpenCV's fixed point."""
    fixed: npt.NDArray[np.int32] = np.round((points - 0.5) * 2**_SHIFT).astype(np.int32)
    return fixed


def _ints(pair: npt.NDArray[np.integer[Any]]) -> tuple[int, int]:
    return int(pair[0]), int(pair[1])
