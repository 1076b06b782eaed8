"""`dlcore predict` in trouble: a message with the file and what to do, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from dlcore_plugins.deeplabcut import predictions
from tests.core.cli.untrained_run import untrained_run
from tests.videos import break_frames, frame, write_sizes, write_sound, write_video

SIZE = (96, 64)


@pytest.fixture(scope="module")
def run(tmp_path_factory, host):
    return untrained_run(tmp_path_factory.mktemp("first"), host)


def cut_short(path):
    """An mp4 whose table of contents, at its end, is missing."""
    write_video(path, 20, SIZE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(path):
    path.write_text("not a video\n" * 100)


def blank_frames(path):
    """A video of which no frame can be decoded."""
    write_video(path, 4, SIZE)
    break_frames(path, [0, 1, 2, 3])


BAD_VIDEOS = {
    "zero bytes": (lambda path: path.touch(), "is empty (0 bytes); copy it again"),
    "cut short": (cut_short, "copy it again, or convert it with ffmpeg"),
    "sound only": (write_sound, "holds audio, but no video; name another file"),
    "no video": (text, "copy it again, or convert it with ffmpeg"),
    "no frame": (blank_frames, "no frame of the video"),
    "folder": (lambda path: path.mkdir(), "holds no images or videos"),
    "missing": (lambda path: None, "there is no"),
}


@pytest.mark.parametrize("kind", BAD_VIDEOS)
def test_a_bad_video_is_named_with_what_to_do(dlcore, run, tmp_path, kind):
    make, message = BAD_VIDEOS[kind]
    make(tmp_path / "bad.mp4")

    done = dlcore("predict", run, tmp_path / "bad.mp4", "--output", tmp_path / "out")

    assert done.code == 1
    assert "bad.mp4" in done.err
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("out/*"))


def test_frames_of_a_video_that_ends_early_are_kept(dlcore, run, tmp_path):
    clip = write_video(tmp_path / "clip.avi", 20, SIZE)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size * 2 // 3])

    done = dlcore("predict", run, clip)

    assert done.code == 0, done.err
    assert 5 < len(table(tmp_path)) < 20
    assert "clip.avi ended after" in done.err + done.out


def test_broken_frames_are_named_and_counted(dlcore, run, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", 9, SIZE)
    break_frames(clip, [3, 5])

    done = dlcore("predict", run, clip, "--video")

    assert done.code == 0, done.err
    assert "clip.mp4: frame 3 cannot be decoded" in done.err + done.out
    assert "9 frames, 2 of them broken" in done.out
    assert table(tmp_path).isna().all(axis=1).tolist() == [n in (3, 5) for n in range(9)]


def test_frames_that_change_their_size_are_predicted_and_told(dlcore, run, tmp_path):
    clip = write_sizes(tmp_path / "clip.mkv", [(96, 64)] * 3 + [(64, 96)] * 3)

    done = dlcore("predict", run, clip, "--video")

    assert done.code == 0, done.err
    assert "clip.mkv: from frame 3 on frames are 64x96" in done.err + done.out
    assert len(table(tmp_path)) == 6


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_predicted(dlcore, run, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        cv2.imwrite(str(images / f"{number}.png"), frame(number, SIZE))
    (images / "1.png").write_bytes(b"")

    done = dlcore("predict", run, images)

    assert done.code == 0, done.err
    assert "1.png" in done.err + done.out
    assert "3 images, 1 of them broken" in done.out
    assert table(images).isna().all(axis=1).tolist() == [False, True, False]


def test_a_file_that_exists_is_kept_as_it_is(dlcore, run, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", 3, SIZE)
    mine = tmp_path / "clipDLC_Dlcore_first0_snapshot_3.csv"
    mine.write_text("mine")
    name = mine.name.replace("first0", run.name)
    mine = mine.rename(tmp_path / name)

    kept = dlcore("predict", run, clip)
    left = mine.read_text()
    replaced = dlcore("predict", run, clip, "--overwrite")

    assert kept.code == 0
    assert f"kept: {mine} exists already; --overwrite replaces it" in kept.err
    assert left == "mine"
    assert replaced.code == 0
    assert mine.read_text() != "mine"


@pytest.fixture
def without_room(dlcore, run, monkeypatch):
    """Predict where there is no room for the table."""

    def predict(clip):
        with monkeypatch.context() as patch:
            patch.setattr(predictions.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
            return dlcore("predict", run, clip)

    return predict


def test_a_full_disk_is_told_before_hdf5_breaks(dlcore, run, tmp_path, without_room):
    clip = write_video(tmp_path / "clip.mp4", 9, SIZE)
    full = without_room(clip)
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]

    again = dlcore("predict", run, clip)

    assert full.code == 1
    assert "No space left on device; make room" in full.err
    assert "Traceback" not in full.err
    assert sorted(left) == ["clip.mp4", "journal.bin"]
    assert "9 frames, 9 of them known from before" in again.out


@pytest.mark.skipif(not shutil.which("mount") or os.name != "posix", reason="needs mount")
@pytest.mark.parametrize("kind", ["deeplabcut", "coco", "parquet", "labelled_video"])
def test_a_disk_that_is_full_indeed(dlcore, run, tmp_path, kind):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    try:
        clip = write_video(tmp_path / "clip.mp4", 150, SIZE)

        done = dlcore("predict", run, clip, "--output", disk, "--format", kind)

        assert done.code == 1
        assert str(disk) in done.err
        assert "No space left on device; make room" in done.err
        assert [p.name for p in disk.rglob("*") if p.is_file()] == ["journal.bin"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_two_processes_do_not_write_the_same_files(dlcore, run, tmp_path, without_room):
    fcntl = pytest.importorskip("fcntl", reason="not on Windows")
    clip = write_video(tmp_path / "clip.mp4", 5, SIZE)
    without_room(clip)
    (journal,) = tmp_path.glob(".clip-*/journal.bin")

    with journal.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        busy = dlcore("predict", run, clip)
    free = dlcore("predict", run, clip)

    assert busy.code == 1
    assert f"another process predicts '{clip}'" in busy.err
    assert free.code == 0, free.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_command_goes_on_where_it_was(dlcore, run, tmp_path, how):
    clip = write_video(tmp_path / "clip.mp4", 5, SIZE)
    ended = _interrupted(run, clip, how)

    done = dlcore("predict", run, clip)

    assert ended.code == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in ended.err
    if how == signal.SIGINT:
        assert "the same command goes on from here" in ended.err
    assert done.code == 0, done.err
    assert "5 frames, 3 of them known from before" in done.out
    whole = tmp_path / "whole"
    assert dlcore("predict", run, clip, "--output", whole).code == 0
    pd.testing.assert_frame_equal(table(tmp_path), table(whole))
    assert not list(tmp_path.glob(".clip-*"))


_PROGRAM = """
import signal, sys, time
from dlcore.inference.estimators import BottomUpEstimator
from dlcore.cli.main import main

run = BottomUpEstimator.run
done = []

def slow(self, images, prepared):
    if len(done) == 3:
        print("three", flush=True)
        time.sleep(60)
    done.append(0)
    return run(self, images, prepared)

BottomUpEstimator.run = slow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background ignores it
sys.exit(main(sys.argv[1:]))
"""


def _interrupted(run, clip, how):
    """A prediction in a process of its own, interrupted after three frames."""
    command = [sys.executable, "-c", _PROGRAM, "predict", str(run), str(clip), "--batch-size", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "three\n"
        time.sleep(0.1)
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    return SimpleNamespace(code=process.returncode, err=err)


def table(folder):
    (path,) = folder.glob("*.h5")
    found = pd.read_hdf(path)
    assert np.isfinite(found.to_numpy()).any()
    return found
