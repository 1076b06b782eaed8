"""Prediction writers: where poses go, frame by frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from dlcore.interfaces.prediction import PredictedFrame


class PredictionWriter(ABC):
    """Writes what was found in a video, or in a set of images, into files.

    A subclass takes `job` (`PredictionJob`) as its only positional parameter and options as
    keyword-only ones. Its constructor writes nothing. Whoever reads a long video needs writers that
    do not keep what they were given.

    Attributes:
        wants_pixels: Whether it needs the pixels of the frames.
    """

    wants_pixels: bool = False

    @property
    @abstractmethod
    def files(self) -> tuple[str, ...]:
        """Names of the files that it leaves in `job.folder`, known before anything is written."""
        raise NotImplementedError

    @property
    def shared_files(self) -> tuple[str, ...]:
        """Those of `files` that other predictions of the source leave too, and that say the same.

        One that exists stays, and does not keep the others from being written.
        """
        return ()

    @abstractmethod
    def write(self, frames: Sequence[PredictedFrame]) -> None:
        """The next frames, in their order; what it is given stays as it is."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """That was the last frame, of at least one; all files are whole when this returns.

        Not called when predicting fails or is interrupted: what was written is removed then.
        """
        raise NotImplementedError

    def abandon(self) -> None:  # noqa: B027  optional
        """Let go of open files. Called at the end, whether there was a `close` or not."""
