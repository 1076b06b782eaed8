"""Frames of a source through an estimator, each with what was found in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from dlcore.inference.estimators import PoseEstimator
from dlcore.inference.images import InputImage
from dlcore.inference.rows import nothing, shifted
from dlcore.inference.sources import SourceFrame
from dlcore.inference.threads import read_ahead
from dlcore.interfaces import Prediction

_BYTES_AHEAD = 256 * 1024**2


class Crop(NamedTuple):
    """A part of each frame, in pixels."""

    x: int
    y: int
    width: int
    height: int


def predict_frames(
    estimator: PoseEstimator[Any],
    frames: Iterator[SourceFrame],
    chunk: int,
    crop: Crop | None = None,
    size: tuple[int, int] | None = None,
) -> Generator[tuple[SourceFrame, Prediction], None, None]:
    """Each frame and what was found in it, in pixels of the whole frame.

    One thread decodes, another prepares what is decoded, and the network works where this is
    called; between them a few frames wait, however many there are.

    Args:
        estimator: Finds poses.
        frames: Decoded in a thread.
        chunk: Frames worked on at once.
        crop: What the estimator sees of each frame; None for all of it.
        size: (width, height) of the frames, about; large ones wait in smaller numbers.
    """
    coming: deque[SourceFrame] = deque()  # given to the estimator, or broken, in their order

    def images(decoded: Iterator[SourceFrame]) -> Iterator[InputImage]:
        for frame in decoded:
            coming.append(frame)
            if frame.pixels is not None:
                yield _image(frame, crop)

    width, height = size or (0, 0)
    ahead = max(2, min(2 * chunk, _BYTES_AHEAD // max(1, width * height * 3)))
    with (
        read_ahead(frames, ahead) as decoded,
        closing(estimator.pairs(images(decoded), chunk)) as pairs,
    ):
        for image, prediction in pairs:
            while coming[0].pixels is None:
                yield coming.popleft(), nothing(estimator.task)
            yield coming.popleft(), shifted(prediction, image.origin)
        while coming:
            yield coming.popleft(), nothing(estimator.task)


def _image(frame: SourceFrame, crop: Crop | None) -> InputImage:
    assert frame.pixels is not None
    if crop is None:
        return InputImage(frame.pixels, frame.key)
    x, y = crop.x, crop.y
    part = frame.pixels[y : y + crop.height, x : x + crop.width]
    return InputImage(part, frame.key, origin=(x, y))
