"""Draws what is trained on and predicted: `python -m tests.benchmarks.drawing images|video`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from dlcore.testing.animals import draw_image, write_animals
from tests.videos import write_frames

_DRAWN = 16
"""Different frames of a video; they come again."""


def draw_images(folder: Path, count: int, size: int, animals: int) -> None:
    """A COCO folder that DeepLabCut reads too, of square images."""
    write_animals(folder, num_train=count, num_test=2, size=size, num_animals=animals)
    (folder / "annotations").mkdir(exist_ok=True)
    for name in ("train.json", "test.json"):
        (folder / name).replace(folder / "annotations" / name)


def draw_video(path: Path, count: int, size: int) -> None:
    """An mp4 of square frames."""
    rng = np.random.default_rng(0)
    frames = [draw_image(rng, size)[0] for _ in range(min(count, _DRAWN))]
    write_frames(path, [frames[number % len(frames)] for number in range(count)], "libx264")


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
