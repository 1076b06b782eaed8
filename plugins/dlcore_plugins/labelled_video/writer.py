"""Write an mp4 of what was predicted, to look at."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Annotated, Any, Literal

import av
import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveInt

from dlcore.interfaces import PredictedFrame, Prediction, PredictionJob, PredictionWriter
from dlcore_plugins.labelled_video.drawing import Style, draw, fit

LOGGER = logging.getLogger("dlcore")

_IMAGES_PER_SECOND = 2
_CODECS = ("libx264", "mpeg4")


class LabelledVideoWriter(PredictionWriter):
    """Writes a video with the keypoints drawn in, and the skeleton if the model has one.

    It has the size of the first frame; frames of other sizes are fitted in. A broken frame is
    black.

    Args:
        job: What is predicted.
        pcutoff: Keypoints with a lower score are not drawn.
        radius: Of the dots in pixels; by default a hundredth of the shorter side.
        color_by: Whether a colour stands for an individual or for a bodypart. By default for a
            bodypart where there is one individual.
        quality: Constant rate factor of H.264; lower is better and larger.
    """

    wants_pixels = True

    def __init__(
        self,
        job: PredictionJob,
        *,
        pcutoff: Annotated[float, Field(ge=0, le=1)] = 0.6,
        radius: PositiveInt | None = None,
        color_by: Literal["individual", "bodypart"] | None = None,
        quality: Annotated[int, Field(ge=0, le=51)] = 23,
    ) -> None:
        one = job.task.num_individuals == 1
        self.style = Style(pcutoff, radius, color_by or ("bodypart" if one else "individual"))
        self.quality = quality
        self._job = job
        self._container: Any = None
        self._stream: Any = None
        self._size = (0, 0)
        self._broken_before = 0
        self._found = self._drawn_any = False

    @property
    def files(self) -> tuple[str, ...]:
        """One mp4."""
        return (f"{self._job.source.stem}_labelled.mp4",)

    def write(self, frames: Sequence[PredictedFrame]) -> None:
        """The next frames."""
        for frame in frames:
            if frame.pixels is None and self._container is None:
                self._broken_before += 1  # how large it would have been is not known yet
                continue
            self._add(self._drawn(frame))

    def close(self) -> None:
        """Write the frames that the encoder holds back, and the end of the file."""
        if self._container is None:
            self._open(*(self._job.size or (64, 64)))
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        if self._found and not self._drawn_any:
            LOGGER.warning(
                "%s shows nothing: no keypoint has a score of %g; lower the bar, for example with "
                "--format '{type: labelled_video, pcutoff: 0.1}'",
                self.files[0],
                self.style.pcutoff,
            )

    def abandon(self) -> None:
        """Close the file."""
        if self._container is not None:
            with suppress(av.error.FFmpegError):  # the disk is full
                self._container.close()

    def _open(self, width: int, height: int) -> None:
        self._size = (width, height)
        rate = self._job.frames_per_second if self._job.kind == "video" else _IMAGES_PER_SECOND
        self._container = av.open(str(self._job.folder / self.files[0]), "w")
        codec = next(name for name in _CODECS if name in av.codecs_available)
        self._stream = self._container.add_stream(
            codec, rate=Fraction(rate or 25).limit_denominator(60_000)
        )
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            self._stream.options = {"crf": str(self.quality), "preset": "veryfast"}
        for _ in range(self._broken_before):
            self._add(np.zeros((height, width, 3), np.uint8))

    def _drawn(self, frame: PredictedFrame) -> npt.NDArray[np.uint8]:
        if frame.pixels is None:
            width, height = self._size
            return np.zeros((height, width, 3), np.uint8)
        height, width = frame.pixels.shape[:2]
        if self._container is None:
            self._open(width, height)
        self._look_at(frame.prediction)
        return draw(frame.pixels, frame.prediction, self._job.task, self.style)

    def _look_at(self, prediction: Prediction) -> None:
        for points in (prediction.poses, prediction.unique):
            if points is not None:
                scores = points[..., 2][np.isfinite(points).all(axis=-1)]
                self._found |= bool(scores.size)
                self._drawn_any |= bool((scores >= self.style.pcutoff).any())

    def _add(self, pixels: npt.NDArray[np.uint8]) -> None:
        fitted = fit(pixels, self._size)
        height, width = fitted.shape[:2]
        if height % 2 or width % 2:  # H.264 wants even sides
            fitted = np.pad(fitted, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(fitted, format="rgb24")):
            self._container.mux(packet)
