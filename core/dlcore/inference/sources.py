"""What is to be predicted: videos, folders of images, images."""

from __future__ import annotations

import glob
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from dlcore.data.images import image_size, read_image
from dlcore.data.video import VIDEO_SUFFIXES, VideoReader
from dlcore.errors import DataError

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"))
"""Endings of file names that mean an image, in lower case."""


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame of a source.

    Attributes:
        number: From 0.
        key: What identifies it in a file of rough poses.
        name: The image as it was named; empty for a frame of a video.
        pixels: (H, W, 3) uint8, RGB; None where it cannot be read.
        problem: Why not.
    """

    number: int
    key: tuple[str, ...]
    name: str
    pixels: npt.NDArray[np.uint8] | None
    problem: str = ""


class Source(ABC):
    """Something with frames.

    Attributes:
        path: The video, or the folder of the images.
        kind: Which of them.
        frames_per_second: Of a video that says so.
        num_frames: As far as known.
    """

    path: Path
    kind: Literal["video", "images"]
    frames_per_second: float | None = None
    num_frames: int | None = None

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where results go by default."""
        raise NotImplementedError

    @property
    @abstractmethod
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the first frame in pixels; None where it cannot be read."""
        raise NotImplementedError

    @property
    @abstractmethod
    def files(self) -> Sequence[Path]:
        """The files it is made of."""
        raise NotImplementedError

    @abstractmethod
    def frames(self, start: int, stop: int | None) -> Iterator[SourceFrame]:
        """The frames from number `start` to before number `stop`."""
        raise NotImplementedError


class VideoSource(Source):
    """A video.

    Args:
        path: The file.

    Raises:
        DataError: If it cannot be decoded at all.
    """

    kind = "video"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = VideoReader(path)
        self.frames_per_second = self._reader.frames_per_second
        self.num_frames = self._reader.num_frames

    @property
    def folder(self) -> Path:
        """That of the video."""
        return self.path.parent

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the first frame."""
        return self._reader.size

    @property
    def files(self) -> Sequence[Path]:
        """The video."""
        return [self.path]

    def frames(self, start: int, stop: int | None) -> Iterator[SourceFrame]:
        """The frames from number `start` to before number `stop`."""
        for frame in self._reader.frames(start, stop):
            problem = "" if frame.pixels is not None else "cannot be decoded"
            yield SourceFrame(frame.number, (str(frame.number),), "", frame.pixels, problem)


class ImagesSource(Source):
    """Several images.

    Args:
        folder: Their folder, which names what is written.
        images: The files, in the order in which they are predicted.
    """

    kind = "images"

    def __init__(self, folder: Path, images: Sequence[Path]) -> None:
        self.path = folder.absolute()
        self._images = list(images)
        self.num_frames = len(self._images)

    @property
    def folder(self) -> Path:
        """That of the images."""
        return self.path

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the first image that can be read."""
        for path in self._images:
            try:
                return image_size(path)
            except DataError:
                continue
        return None

    @property
    def files(self) -> Sequence[Path]:
        """The images."""
        return self._images

    def frames(self, start: int, stop: int | None) -> Iterator[SourceFrame]:
        """The images from number `start` to before number `stop`."""
        for number, path in list(enumerate(self._images))[start:stop]:
            pixels, problem = None, ""
            try:
                pixels = read_image(path)
            except DataError as error:
                problem = str(error)
            yield SourceFrame(number, path.parts, str(path), pixels, problem)


@dataclass(frozen=True)
class Found:
    """What the sources that a user names stand for.

    Attributes:
        videos: Video files.
        images: Images by their folder.
    """

    videos: list[Path]
    images: dict[Path, list[Path]]


def find_sources(named: Sequence[str]) -> Found:
    """Videos and images among files, folders and patterns.

    Args:
        named: Paths, or patterns such as `clips/*.mp4`. Of a folder, its images and videos count,
            not those in folders inside it.

    Raises:
        DataError: If one of them stands for nothing.
    """
    found = Found([], {})
    seen: set[Path] = set()
    for name in named:
        for path in _expanded(name):
            if path.is_dir():
                inside = [p for p in _sorted(path.iterdir()) if not p.name.startswith(".")]
                files = [p for p in inside if _is_video(p) or _is_image(p)]
                if not files:
                    raise DataError(
                        f"the folder {str(path)!r} holds no images or videos that are known by "
                        f"their ending ({', '.join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))}); "
                        f"name the folder that holds them"
                    )
            else:
                files = [path]
            for file in files:
                if file not in seen:
                    seen.add(file)
                    _sort_in(file, found)
    return found


def _expanded(name: str) -> list[Path]:
    path = Path(name).expanduser()
    if path.exists():
        return [path]
    if glob.has_magic(name):
        start = Path(path.anchor)
        matches = _sorted(start.glob(str(path.relative_to(path.anchor))))
        if matches:
            return matches
        raise DataError(f"nothing matches {name!r}")
    raise DataError(f"there is no {name!r}; name videos, images, folders or patterns")


def _sort_in(path: Path, found: Found) -> None:
    if _is_image(path):
        found.images.setdefault(path.parent, []).append(path)
    else:  # whatever its ending is, decoding tells
        found.videos.append(path)


def _sorted(paths: Iterator[Path] | Sequence[Path]) -> list[Path]:
    """By name, numbers by their value: img2 before img10."""

    def parts(path: Path) -> list[tuple[int, str]]:
        pieces = re.split(r"(\d+)", str(path))
        return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]

    return sorted(paths, key=parts)


def _is_video(path: Path) -> bool:
    own = path.stem.endswith("_labelled")  # drawn by us, beside the video that it is of
    return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not own


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
