"""Tiny videos, whose frames are told apart by their brightness."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="videos need PyAV: pip install av")

STEP = 5
RED = (255, 0, 0)
_TICK = Fraction(1, 25)


def frame(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Grey, brighter from frame to frame, with a red top-left corner."""
    width, height = size
    pixels = np.full((height, width, 3), number * STEP % 256, np.uint8)
    pixels[: height // 4, : width // 4] = RED
    return pixels


def write_video(
    path: Path, count: int = 12, size: tuple[int, int] = (64, 48), codec: str = "mjpeg"
) -> Path:
    """A video of 25 frames per second; with mjpeg each frame stands for itself."""
    return write_frames(path, [frame(number, size) for number in range(count)], codec)


def write_frames(
    path: Path,
    frames: Iterable[np.ndarray],
    codec: str = "mjpeg",
    options: dict[str, str] | None = None,
) -> Path:
    coming = iter(frames)
    first = next(coming)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec == "libx264":
            stream.options = options or {"crf": "12", "g": "10"}
        for pixels in chain([first], coming):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_sizes(path: Path, sizes: list[tuple[int, int]]) -> Path:
    """A video whose frames have these sizes, one after the other."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuvj420p"
        for number, size in enumerate(sizes):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *size, "yuvj420p"
            encoder.time_base = _TICK
            image = av.VideoFrame.from_ndarray(frame(number, size), format="rgb24")
            for packet in encoder.encode(image.reformat(format="yuvj420p")):
                packet.stream, packet.time_base = stream, _TICK
                packet.pts = packet.dts = number
                container.mux(packet)
    return path


def write_sound(path: Path) -> Path:
    """A file with sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


def break_frames(path: Path, numbers: list[int]) -> None:
    """Overwrite the packets of frames of an mjpeg video with zeros."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        start, size = places[number]
        data[start : start + size] = bytes(size)
    path.write_bytes(data)


def rotate(path: Path, quarter_turns: int) -> None:
    """Mark an mp4 as taken with a turned camera, clockwise."""
    one = 0x10000
    matrices = {
        0: (one, 0, 0, 0, one, 0, 0, 0, 0x40000000),
        1: (0, one, 0, -one, 0, 0, 0, 0, 0x40000000),
        2: (-one, 0, 0, 0, -one, 0, 0, 0, 0x40000000),
        3: (0, -one, 0, one, 0, 0, 0, 0, 0x40000000),
    }
    data = path.read_bytes()
    place = data.index(struct.pack(">9i", *matrices[0]), data.index(b"tkhd"))
    turned = struct.pack(">9i", *matrices[quarter_turns])
    path.write_bytes(data[:place] + turned + data[place + 36 :])


def brightness(pixels: np.ndarray) -> int:
    """The number of a frame, from its brightness."""
    return round(float(pixels[-8:, -8:].mean()) / STEP)
