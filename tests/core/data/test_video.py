"""Videos are decoded frame by frame; what is broken is counted and keeps its number."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from dlcore.data.video import VideoReader
from dlcore.errors import DataError, DlcoreError
from tests.videos import (
    av,
    break_frames,
    brightness,
    frame,
    rotate,
    write_sizes,
    write_sound,
    write_video,
)


def numbers(frames):
    return [f.number if f.pixels is None else (f.number, brightness(f.pixels)) for f in frames]


def test_a_video_tells_about_itself_and_gives_its_frames_as_rgb(tmp_path):
    video = VideoReader(write_video(tmp_path / "clip.mp4", codec="libx264"))

    frames = list(video.frames())

    assert (video.size, video.frames_per_second, video.num_frames) == ((64, 48), 25.0, 12)
    assert numbers(frames) == [(n, n) for n in range(12)]
    assert frames[0].pixels.shape == (48, 64, 3)
    assert frames[0].pixels.dtype == np.uint8
    np.testing.assert_allclose(frames[3].pixels[4, 4], frame(3)[4, 4], atol=12)


@pytest.mark.parametrize(("start", "stop"), [(3, 7), (9, None), (0, 2), (10, 99), (40, None)])
def test_some_frames_are_the_same_as_among_all(tmp_path, start, stop):
    video = VideoReader(write_video(tmp_path / "clip.mp4", codec="libx264"))

    assert numbers(video.frames(start, stop)) == [(n, n) for n in range(12)[start:stop]]


def test_a_late_start_gives_the_same_frames(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", 40, codec="libx264")
    monkeypatch.setattr("dlcore.data.video._WORTH_A_SEEK", 1)

    for start in range(1, 40, 3):
        assert numbers(VideoReader(path).frames(start)) == [(n, n) for n in range(start, 40)]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_turned_video_is_shown_upright(tmp_path, turns):
    path = write_video(tmp_path / "clip.mp4", 2, codec="libx264")
    rotate(path, turns)
    capture = cv2.VideoCapture(str(path))
    _, expected = capture.read()
    capture.release()

    video = VideoReader(path)
    pixels = next(video.frames()).pixels

    assert video.size == ((64, 48) if turns % 2 == 0 else (48, 64))
    np.testing.assert_array_equal(pixels, expected[:, :, ::-1])


@pytest.mark.parametrize("broken", [[4], [2, 3], [11], [5, 11]])
def test_a_broken_frame_keeps_its_number(tmp_path, broken):
    path = write_video(tmp_path / "clip.mp4")
    break_frames(path, broken)

    found = numbers(VideoReader(path).frames())

    assert found == [n if n in broken else (n, n) for n in range(12)]


def test_frames_of_another_size_are_given_as_they_are(tmp_path):
    path = write_sizes(tmp_path / "clip.mkv", [(64, 48), (64, 48), (32, 40)])

    shapes = [f.pixels.shape[:2] for f in VideoReader(path).frames()]

    assert shapes == [(48, 64), (48, 64), (40, 32)]


def test_a_video_that_is_cut_short_ends_early(tmp_path):
    path = write_video(tmp_path / "clip.mkv", 40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    found = numbers(VideoReader(path).frames())

    assert 5 < len(found) < 35
    assert found[:5] == [(n, n) for n in range(5)]


def test_a_video_without_its_table_of_contents_is_refused(tmp_path):
    path = write_video(tmp_path / "clip.mp4", codec="libx264")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])

    with pytest.raises(DataError, match=r"clip\.mp4' cannot be opened .*cut short"):
        VideoReader(path)


def test_what_is_no_video_is_told_by_name(tmp_path):
    empty, text = tmp_path / "empty.mp4", tmp_path / "text.avi"
    empty.touch()
    text.write_text("no video at all " * 100)
    sound = write_sound(tmp_path / "sound.mp4")
    broken = write_video(tmp_path / "broken.mp4", 3)
    break_frames(broken, [0, 1, 2])

    for path, message in (
        (empty, r"empty\.mp4' is empty \(0 bytes\)"),
        (text, r"text\.avi' cannot be opened"),
        (sound, r"sound\.mp4' holds audio, but no video"),
        (broken, r"no frame of the video .*broken\.mp4' can be decoded"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.mp4", r"none\.mp4' cannot be read: No such file"),
    ):
        with pytest.raises(DataError, match=message):
            VideoReader(path)


def test_without_pyav_the_command_that_installs_it_is_told(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mkv", 1)
    monkeypatch.setitem(sys.modules, "av", None)

    with pytest.raises(DlcoreError, match="pip install av"):
        VideoReader(path)
    assert av is not None


def test_a_real_video_with_wrong_parameters_is_entered_at_the_right_frame(shared):
    path = shared / "data" / "openfield-Pranav-2018-10-30" / "videos" / "m3v1mp4.mp4"
    video = VideoReader(path)
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
    expected = {number: capture.read()[1][:, :, ::-1] for number in range(122)}
    capture.release()

    assert (video.size, video.num_frames) == ((640, 480), 2330)
    for number in (0, 120):
        pixels = next(video.frames(number, number + 1)).pixels
        np.testing.assert_array_equal(pixels, expected[number])
