"""What the bytes of a JPEG or PNG file say before they are decoded: size, turn, completeness.

Decoders differ by version in what they do with a file that was cut short; some give half of the
picture and grey below. So the structure of the two common formats is checked here.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE, _APP1 = 0xDA, 0xD9, 0xE1
_MARKERS_ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_ORIENTATION_TAG = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What is known about an image before it is decoded.

    Attributes:
        width: Pixels, as the image is shown, that is with its EXIF orientation applied.
        height: Pixels, likewise.
        complete: Whether the file holds the whole picture. Only known when the whole file was
            looked at.
    """

    width: int
    height: int
    complete: bool


def parse_header(data: bytes) -> ImageHeader | None:
    """Read the header of a JPEG or PNG file; None for what is neither or cannot be understood.

    Args:
        data: The whole file, or its beginning; then `complete` means nothing.
    """
    try:
        if data.startswith(PNG_SIGNATURE):
            return _parse_png(data)
        if data.startswith(JPEG_SIGNATURE):
            return _parse_jpeg(data)
    except (struct.error, IndexError):
        pass
    return None


def _parse_png(data: bytes) -> ImageHeader:
    width, height = struct.unpack_from(">II", data, 16)
    orientation, complete = 1, False
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(data):
            break
        if kind == b"IDAT" and not _checksum_holds(data, position, end):
            break
        if kind == b"eXIf":
            orientation = _orientation(data[position + 8 : end - 4])
        if kind == b"IEND":
            complete = True
            break
        position = end
    return _header(width, height, orientation, complete)


def _checksum_holds(data: bytes, start: int, end: int) -> bool:
    expected: int = struct.unpack_from(">I", data, end - 4)[0]
    return zlib.crc32(memoryview(data)[start + 4 : end - 4]) == expected


def _parse_jpeg(data: bytes) -> ImageHeader | None:
    size: tuple[int, int] | None = None
    orientation, complete = 1, False
    position = 2
    while (match := _JPEG_MARKER.search(data, position)) is not None:
        marker, position = data[match.start() + 1], match.end()
        if marker == _END_OF_IMAGE:
            complete = True
            break
        if marker in _MARKERS_ALONE:
            continue
        if position + 2 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _STARTS_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (width, height)
        elif marker == _APP1 and data[position + 2 : position + 8] == b"Exif\0\0":
            orientation = _orientation(data[position + 8 : position + length])
        position += length  # entropy-coded data after a scan holds no unescaped marker
    if size is None:
        return None
    return _header(*size, orientation, complete)


def _header(width: int, height: int, orientation: int, complete: bool) -> ImageHeader:
    if orientation in _TURNED:
        width, height = height, width
    return ImageHeader(width, height, complete)


def _orientation(tiff: bytes) -> int:
    """The orientation 1..8 of an EXIF block, 1 where it says nothing."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == _ORIENTATION_TAG:
                return int(value)
    except struct.error:
        pass
    return 1
