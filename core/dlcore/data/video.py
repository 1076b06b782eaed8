"""Videos to RGB arrays, frame by frame; broken frames are counted, not fatal.

Frames are numbered from 0 in the order in which they are shown. A frame that cannot be decoded
keeps its number, so that what is found in the others stays in time.
"""

from __future__ import annotations

import heapq
import logging
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dlcore.errors import DataError, DlcoreError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame as DecodedFrame
    from av.video.stream import VideoStream

LOGGER = logging.getLogger("dlcore")

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".avi", ".mov", ".mkv", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm", ".ts", ".mts")
)
"""Endings of file names that mean a video, in lower case."""

_WORTH_A_SEEK = 100
"""Fewer frames than that are skipped by decoding them."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame.

    Attributes:
        number: From 0.
        pixels: (H, W, 3) uint8, RGB, the way up that it is shown; None for a broken frame.
    """

    number: int
    pixels: npt.NDArray[np.uint8] | None


class VideoReader:
    """A video file.

    Args:
        path: The file.

    Attributes:
        path: The file.
        size: (width, height) in pixels of the first frame, the way up that it is shown.
        frames_per_second: As the file says; None if it does not.
        num_frames: As the file says, or from its duration; None if neither is known. Damaged
            files have fewer.

    Raises:
        DataError: If it is not a video of which at least one frame can be decoded.
        DlcoreError: If PyAV is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _require_av()
        self._require_file()
        with self._open() as container:
            stream = self._stream(container)
            # What some files say is wrong until a frame has been decoded.
            first = next((f for f in _decoded(container, stream) if f is not None), None)
            pixels = None if first is None else _ToRGB()(first)
            if pixels is None:
                raise DataError(
                    f"no frame of the video {str(path)!r} can be decoded; copy it again, or "
                    f"convert it with ffmpeg"
                )
            self.size = (pixels.shape[1], pixels.shape[0])
            rate = stream.average_rate or stream.guessed_rate
            self.frames_per_second = float(rate) if rate else None
            self._header_frames = stream.frames
            self.num_frames = stream.frames or self._frames_by_duration(container)

    def _frames_by_duration(self, container: InputContainer) -> int | None:
        if not container.duration or not self.frames_per_second:
            return None
        return max(1, round(container.duration / 1_000_000 * self.frames_per_second))

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[VideoFrame]:
        """The frames from number `start` to before number `stop`, or to the end.

        A file that is cut short ends early, without an error.
        """
        if stop is not None and stop <= start:
            return
        with self._open() as container:
            stream = self._stream(container)
            number, decoded = self._from(container, stream, start)
            to_rgb = _ToRGB()
            for frame in decoded:
                if number >= start:
                    yield VideoFrame(number, None if frame is None else to_rgb(frame))
                number += 1
                if stop is not None and number >= stop:
                    return

    def _from(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> tuple[int, Iterator[DecodedFrame | None]]:
        """Frames from before `start` on, and the number of the first."""
        decoded = _decoded(container, stream)
        if start < _WORTH_A_SEEK:
            return 0, decoded
        times = self._times()
        if times is None or start >= len(times):
            return 0, decoded
        next(decoded, None)  # a seek before the first frame lands anywhere in some files
        container.seek(int(times[start]), stream=stream, backward=True)
        decoded = _decoded(container, stream)
        first = next((frame for frame in decoded if frame is not None), None)
        if first is not None and first.pts is not None:
            number = int(np.searchsorted(times, first.pts))
            if number <= start and times[number] == first.pts:
                return number, _chained(first, decoded)
        LOGGER.info("%s cannot be entered at frame %d: reading it from the start", self.path, start)
        return 0, self._all()

    def _all(self) -> Iterator[DecodedFrame | None]:
        with self._open() as container:
            yield from _decoded(container, self._stream(container))

    def _times(self) -> npt.NDArray[np.int64] | None:
        """When each frame is shown, in units of the stream; None where it cannot be trusted."""
        if not self._header_frames:
            return None
        with self._open() as container:
            stream = self._stream(container)
            shown = array("q")  # of a long video, a list of numbers would be large
            for packet in _packets(container, stream):
                if packet.size and packet.pts is None:
                    return None
                if packet.size:
                    shown.append(packet.pts)
        times = np.unique(np.array(shown, np.int64))
        return times if len(times) == len(shown) == self._header_frames else None

    def _require_file(self) -> None:
        try:
            size = self.path.stat().st_size
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"the video {str(self.path)!r} cannot be read: {reason}") from error
        if self.path.is_dir():
            raise DataError(f"{str(self.path)!r} is a folder, not a video")
        if not size:
            raise DataError(f"the video {str(self.path)!r} is empty (0 bytes); copy it again")

    def _open(self) -> InputContainer:
        import av

        try:
            # What the file says about itself may be in any encoding, and is not needed.
            return av.open(str(self.path), metadata_errors="replace")
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0]
        return DataError(
            f"the video {str(self.path)!r} cannot be opened ({reason}): it is cut short, damaged "
            f"or not a video; copy it again, or convert it with ffmpeg"
        )

    def _stream(self, container: InputContainer) -> VideoStream:
        from av.stream import Disposition

        for stream in container.streams.video:
            if not stream.disposition & Disposition.attached_pic:  # the cover of a song
                stream.thread_type = "AUTO"
                return stream
        kinds = " and ".join(sorted({stream.type for stream in container.streams}))
        raise DataError(
            f"{str(self.path)!r} holds {kinds or 'nothing'}, but no video; name another file"
        )


def _require_av() -> None:
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise DlcoreError(
            f"videos need PyAV, which cannot be imported ({error}); install it: pip install av"
        ) from error


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """The packets of a stream, as far as the file goes."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        yield packet


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[DecodedFrame | None]:
    """The frames in the order in which they are shown; None for one that cannot be decoded.

    A decoder that fails does not say which frame is lost. It is the one whose time is missing among
    those that come out.
    """
    import av

    waiting: list[int] = []  # times of frames that went in and have not come out
    lost = 0
    for packet in _packets(container, stream):
        if packet.pts is not None and packet.size:
            heapq.heappush(waiting, packet.pts)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []
            lost += 1
        for frame in frames:
            time = frame.pts
            while time is not None and waiting and waiting[0] <= time:
                if heapq.heappop(waiting) < time and lost:
                    lost -= 1
                    yield None
            yield frame
    for _ in range(min(lost, len(waiting))):
        yield None


class _ToRGB:
    """The pixels of frames; keeps from frame to frame what the conversion needs."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._converter = VideoReformatter()

    def __call__(self, frame: DecodedFrame) -> npt.NDArray[np.uint8] | None:
        try:
            rgb = self._converter.reformat(frame, format="rgb24", threads=1)
            pixels = np.asarray(rgb.to_ndarray(), np.uint8)
        except (ValueError, OSError):  # a format or a size that the converter does not take
            return None
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _chained(
    first: DecodedFrame, rest: Iterator[DecodedFrame | None]
) -> Iterator[DecodedFrame | None]:
    yield first
    yield from rest
