"""Promises about image files: every readable kind becomes RGB bytes, every bad one an error."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from dlcore.data.image_header import parse_header
from dlcore.data.images import image_size, read_image
from dlcore.errors import DataError

RNG = np.random.default_rng(0)
PICTURE = cv2.GaussianBlur(RNG.integers(0, 255, (30, 50, 3), dtype=np.uint8), (0, 0), 2)  # RGB


def encoded(extension: str, image: np.ndarray = PICTURE) -> bytes:
    if image.ndim == 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    return cv2.imencode(extension, image)[1].tobytes()


def exif(orientation: int) -> bytes:
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def jpeg_with_exif(orientation: int, thumbnail: bytes = b"") -> bytes:
    payload = b"Exif\0\0" + exif(orientation) + thumbnail
    data = encoded(".jpg")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + data[2:]


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    checksum = zlib.crc32(kind + payload)
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", checksum)


def png_with_exif(orientation: int) -> bytes:
    data = encoded(".png")
    return data[:33] + png_chunk(b"eXIf", exif(orientation)) + data[33:]


def palette_png() -> bytes:
    """Two rows of three pixels: red, green, blue, and the other way round."""
    rows = b"\0\0\1\2" + b"\0\2\1\0"
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 3, 0, 0, 0))
        + png_chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255]))
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


@pytest.fixture
def write(tmp_path: Path):
    def write_file(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write_file


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tif"])
def test_lossless_images_come_back_as_rgb(write, extension):
    image = read_image(write("picture" + extension, encoded(extension)))

    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, PICTURE)


def test_a_jpeg_comes_back_as_rgb(write):
    image = read_image(write("picture.jpg", encoded(".jpg")))

    assert np.abs(image.astype(int) - PICTURE).mean() < 5


def test_a_grey_image_becomes_three_equal_channels(write):
    image = read_image(write("grey.png", encoded(".png", PICTURE[..., 0])))

    np.testing.assert_array_equal(image, np.repeat(PICTURE[..., :1], 3, axis=2))


def test_of_16_bits_the_high_byte_is_kept(write):
    deep = RNG.integers(0, 2**16, (20, 30), dtype=np.uint16)

    image = read_image(write("deep.png", encoded(".png", deep)))

    np.testing.assert_array_equal(image[..., 0], deep // 256)


def test_a_palette_becomes_its_colours(write):
    image = read_image(write("palette.png", palette_png()))

    np.testing.assert_array_equal(image[0], [[255, 0, 0], [0, 255, 0], [0, 0, 255]])
    np.testing.assert_array_equal(image[1], image[0, ::-1])


def test_an_alpha_channel_is_dropped(write):
    alpha = RNG.integers(0, 255, (*PICTURE.shape[:2], 1), dtype=np.uint8)

    image = read_image(write("alpha.png", encoded(".png", np.concatenate([PICTURE, alpha], 2))))

    np.testing.assert_array_equal(image, PICTURE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("make", [jpeg_with_exif, png_with_exif])
def test_the_size_is_that_of_the_turned_image(write, make, orientation):
    path = write("turned", make(orientation))

    height, width = read_image(path).shape[:2]

    assert image_size(path) == (width, height)


def test_exif_orientation_is_applied(write):
    upright = read_image(write("a.jpg", jpeg_with_exif(1)))

    turned = read_image(write("b.jpg", jpeg_with_exif(6)))

    np.testing.assert_array_equal(turned, np.rot90(upright, -1))


def test_the_size_of_other_formats_comes_from_decoding(write):
    assert image_size(write("picture.bmp", encoded(".bmp"))) == (50, 30)


def test_the_size_comes_from_the_beginning_of_a_file(write):
    """A header of 100 bytes is enough; nothing else is looked at."""
    path = write("picture.png", encoded(".png")[:100])

    assert image_size(path) == (50, 30)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".tif", ".webp"])
def test_an_image_that_was_cut_short_is_refused(write, capfd, extension, share):
    data = encoded(extension)
    path = write("cut" + extension, data[: int(share * len(data))])

    with pytest.raises(DataError, match=rf"cut{extension}.*take it out of the dataset"):
        read_image(path)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(write):
    thumbnail = encoded(".jpg", PICTURE[:8, :8])
    data = jpeg_with_exif(1, thumbnail)
    assert thumbnail.endswith(b"\xff\xd9")

    assert read_image(write("whole.jpg", data)).shape == PICTURE.shape
    with pytest.raises(DataError, match="cut short"):
        read_image(write("cut.jpg", data[:-20]))


def test_a_png_with_a_flipped_bit_is_refused(write):
    data = bytearray(encoded(".png"))
    data[len(data) // 2] ^= 4

    with pytest.raises(DataError, match="damaged"):
        read_image(write("flipped.png", bytes(data)))


def test_a_progressive_jpeg_is_whole(write):
    data = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()

    header = parse_header(data)

    assert header is not None
    assert header.complete
    assert (header.width, header.height) == (50, 30)
    assert read_image(write("progressive.jpg", data)).shape == PICTURE.shape


BAD = {
    "empty": (b"", "is empty"),
    "text": (b"labels,x,y\n", "not an image"),
    "only a PNG signature": (b"\x89PNG\r\n\x1a\n", "cut short"),
    "only a JPEG signature": (b"\xff\xd8\xff", "cut short"),
    "JPEG that ends in a marker": (b"\xff\xd8\xff\xe0\x00", "cut short"),
    "random bytes": (bytes(range(256)) * 20, "not an image"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_no_image_is_refused_with_its_path(write, data, reason):
    path = write("file.png", data)

    with pytest.raises(DataError, match=reason) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    with pytest.raises(DataError):
        image_size(path)


def test_an_image_too_large_to_be_true_is_refused(write, capfd):
    chunk = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 100)) + png_chunk(b"IEND", b"")

    with pytest.raises(DataError, match=r"huge\.png"):
        read_image(write("huge.png", b"\x89PNG\r\n\x1a\n" + chunk + body))


def test_floating_point_images_are_refused_with_the_remedy(write, capfd):
    floats = RNG.random((20, 30)).astype(np.float32)

    with pytest.raises(DataError, match="save it as an 8-bit PNG or JPEG"):
        read_image(write("floats.tif", encoded(".tif", floats)))


@pytest.mark.parametrize("read", [read_image, image_size])
def test_missing_files_and_folders_are_refused(tmp_path, read):
    with pytest.raises(DataError, match=r"nowhere\.png' does not exist"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path)
