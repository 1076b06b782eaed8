"""Draws what is trained on and predicted: `python -m tests.benchmarks.drawing images|video`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcore.testing.animals import draw_image, write_animals
from tests.videos import write_frames

_CIRCLE = 250
"""Frames for a walk round."""

_NOISE = 3
"""Of a pixel, at most."""


def draw_images(folder: Path, count: int, size: int, animals: int) -> None:
    """A COCO folder that DeepLabCut reads too, of square images."""
    write_animals(folder, num_train=count, num_test=2, size=size, num_animals=animals)
    (folder / "annotations").mkdir(exist_ok=True)
    for name in ("train.json", "test.json"):
        (folder / name).replace(folder / "annotations" / name)


def draw_video(path: Path, count: int, size: int) -> None:
    """An mp4 of square frames: a still camera, something that walks in a circle, and some noise."""
    rng = np.random.default_rng(0)
    ground = draw_image(rng, size)[0].astype(np.int16)
    walker = draw_image(rng, size // 3)[0]
    room = size - len(walker)

    def frames() -> Iterator[npt.NDArray[np.uint8]]:
        for number in range(count):
            angle = 2 * np.pi * number / _CIRCLE
            x, y = (int(room * (1 + turn) / 2) for turn in (np.cos(angle), np.sin(angle)))
            frame = ground + rng.integers(-_NOISE, _NOISE + 1, ground.shape, np.int16)
            frame[y : y + len(walker), x : x + len(walker)] = walker
            yield np.clip(frame, 0, 255).astype(np.uint8)

    write_frames(path, frames(), "libx264", {"crf": "23"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["images", "video"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--animals", type=int, default=1)
    args = parser.parse_args()
    if args.what == "images":
        draw_images(args.path, args.count, args.size, args.animals)
    else:
        draw_video(args.path, args.count, args.size)


if __name__ == "__main__":
    main()
