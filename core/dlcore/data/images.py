"""Image files to RGB arrays, with errors that name the file and what to do about it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dlcore.data.image_header import JPEG_SIGNATURE, PNG_SIGNATURE, parse_header
from dlcore.errors import DataError

_HEADER_BYTES = 256 * 1024  # room for the EXIF block, with its thumbnail, of a photo


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Decode an image file to (H, W, 3) uint8, RGB.

    The EXIF orientation is applied. Grey and palette images become RGB; an alpha channel is
    dropped; of 16-bit images the high byte of each value is kept (value // 256).

    Raises:
        DataError: If the file is missing, cut short or not an image.
    """
    data = _read_bytes(path)
    if data.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
        header = parse_header(data)
        if header is None or not header.complete:
            raise DataError(
                f"the image '{path}' is cut short or damaged ({len(data)} bytes); "
                f"copy it again or take it out of the dataset"
            )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise DataError(f"the image '{path}' cannot be decoded: {_reason(error)}") from error
    if image is None:
        raise DataError(
            f"'{path}' is damaged or not an image that can be read; "
            f"save it as an 8-bit PNG or JPEG, or take it out of the dataset"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of `read_image(path)`; of JPEG and PNG only the header is read.

    Raises:
        DataError: As `read_image`, as far as the header tells.
    """
    header = parse_header(_read_bytes(path, limit=_HEADER_BYTES))
    if header is not None:
        return header.width, header.height
    height, width = read_image(path).shape[:2]
    return width, height


def _read_bytes(path: Path, limit: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit)
    except FileNotFoundError as error:
        raise DataError(
            f"the image '{path}' does not exist; put it there or take it out of the dataset"
        ) from error
    except OSError as error:
        raise DataError(f"the image '{path}' cannot be read: {error.strerror or error}") from error
    if not data:
        raise DataError(
            f"the image '{path}' is empty (0 bytes); copy it again or take it out of the dataset"
        )
    return data


def _reason(error: cv2.error) -> str:
    return str(getattr(error, "err", None) or error).strip().splitlines()[0]
