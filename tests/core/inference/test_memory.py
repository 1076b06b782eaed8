"""Memory does not grow with the length of a video, whatever is written and tracked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.videos import av, frame

ROOT = Path(__file__).parents[3]


def long_video(path: Path, count: int) -> Path:
    """A video of 64x48 pixels."""
    images = [av.VideoFrame.from_ndarray(frame(number), format="rgb24") for number in range(50)]
    images = [image.reformat(format="yuv420p") for image in images]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            image = images[number % 50]
            image.pts = number
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return path


def predicted(folder: Path, count: int) -> dict:
    """What predicting a video of so many frames took, in a process of its own."""
    video = long_video(folder / f"{count}.mp4", count)
    program = [sys.executable, "-m", "tests.core.inference.predict_long_video"]
    done = subprocess.run(
        [*program, str(video), str(folder / str(count))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LONG = pytest.param(
    1_000,
    100_000,
    marks=[
        pytest.mark.slow,
        pytest.mark.timeout(3600),
        pytest.mark.skipif(
            "DLCORE_LONG_TESTS" not in os.environ,
            reason="takes minutes: set DLCORE_LONG_TESTS=1 to run it",
        ),
    ],
)


@pytest.mark.parametrize(("few", "many"), [(500, 5_000), LONG])
def test_a_long_video_needs_the_memory_of_a_short_one(tmp_path, few, many):
    short, long = predicted(tmp_path, few), predicted(tmp_path, many)

    assert (short["frames"], long["frames"]) == (few, many)
    assert len(long["files"]) == 6  # what every writer leaves
    assert sum(long["files"].values()) > 0.9 * many / few * sum(short["files"].values())
    assert long["bytes"] < 1.1 * short["bytes"]
