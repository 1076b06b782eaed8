"""Sizes of images from their headers, without decoding them."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def image_size(path: Path) -> tuple[int, int] | None:
    """(width, height) as the image is shown, or None where the header cannot be read.

    Photos may be stored on their side and say so in their EXIF data: what counts is the image
    after turning it.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about large or odd images, which decoding will report
            with Image.open(path) as image:
                width, height = image.size
                # PNG may keep EXIF data after its pixels, and Pillow would decode them to look
                has_exif = image.format in ("JPEG", "MPO") or "exif" in image.info
                turned = has_exif and image.getexif().get(_ORIENTATION) in _TURNED
    except FileNotFoundError:
        raise
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError):
        return None
    return (height, width) if turned else (width, height)
