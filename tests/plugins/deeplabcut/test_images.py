"""Sizes from headers."""

import numpy as np
import pytest
from PIL import Image

from dlcore_plugins.deeplabcut.images import image_size


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_the_size_is_width_and_height(suffix, tmp_path):
    path = tmp_path / f"image{suffix}"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)

    assert image_size(path) == (30, 20)


@pytest.mark.parametrize(("orientation", "size"), [(1, (30, 20)), (3, (30, 20)), (6, (20, 30))])
def test_a_photo_on_its_side_is_turned(orientation, size, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)

    assert image_size(tmp_path / "a.jpg") == size


def test_the_pixels_are_not_needed(tmp_path):
    Image.fromarray(np.zeros((200, 300, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])

    assert image_size(tmp_path / "a.png") == (300, 200)


def test_an_unreadable_header_has_no_size_and_a_missing_file_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")

    assert image_size(tmp_path / "a.png") is None
    with pytest.raises(FileNotFoundError):
        image_size(tmp_path / "b.png")
