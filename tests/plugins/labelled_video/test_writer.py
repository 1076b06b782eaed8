"""The labelled video shows each keypoint where it was found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

av = pytest.importorskip("av", reason="videos need PyAV: pip install av")

from dlcore.interfaces import PoseTask, PredictedFrame, Prediction  # noqa: E402
from dlcore.testing.prediction_contracts import fake_prediction_job  # noqa: E402
from dlcore_plugins.labelled_video.drawing import Style, colours, draw  # noqa: E402
from dlcore_plugins.labelled_video.writer import LabelledVideoWriter  # noqa: E402

TASK = PoseTask(("snout", "tail"), skeleton=((0, 1),))


def frame(number, size, places=((20, 30), (60, 50)), score=0.9):
    poses = np.array([[(x, y, score) for x, y in places]], float)
    pixels = np.full((size[1], size[0], 3), 128, np.uint8)
    return PredictedFrame(number, Prediction(poses), size=size, pixels=pixels)


def written(folder, frames, **options):
    job = replace(fake_prediction_job(folder, TASK), size=(95, 63))
    writer = LabelledVideoWriter(job, **options)
    writer.write(frames)
    writer.close()
    with av.open(str(folder / "clip_labelled.mp4")) as container:
        assert float(container.streams.video[0].average_rate) == 25
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def test_frames_keep_their_number_whatever_is_broken_or_of_another_size(tmp_path):
    broken = PredictedFrame(0, Prediction(np.full((1, 2, 3), np.nan)))
    frames = [broken, frame(1, (95, 63)), replace(broken, number=2), frame(3, (190, 126))]

    shown = written(tmp_path, frames)

    assert [image.shape for image in shown] == [(64, 96, 3)] * 4
    assert shown[0].mean() < 5
    assert shown[2].mean() < 5
    assert shown[1].mean() > 100
    assert shown[3].mean() > 100


def test_a_dot_is_where_the_keypoint_is():
    image = frame(0, (95, 63)).pixels
    prediction = frame(0, (95, 63)).prediction

    drawn = draw(image, prediction, TASK, Style(radius=3, color_by="bodypart"))

    for colour, (x, y) in zip(colours(2), ((20, 30), (60, 50)), strict=True):
        rows, columns = np.nonzero((np.abs(drawn.astype(int) - colour) < 40).all(axis=2))
        near = np.hypot(columns + 0.5 - x, rows + 0.5 - y) < 8
        assert np.mean(columns[near] + 0.5) == pytest.approx(x, abs=0.6)
        assert np.mean(rows[near] + 0.5) == pytest.approx(y, abs=0.6)
    assert (image == 128).all()


def test_unsure_keypoints_are_not_drawn():
    unsure = frame(0, (95, 63), score=0.5)

    drawn = draw(unsure.pixels, unsure.prediction, TASK, Style(pcutoff=0.6))

    np.testing.assert_array_equal(drawn, unsure.pixels)


@pytest.mark.parametrize(("score", "told"), [(0.5, True), (0.7, False)])
def test_a_video_that_shows_nothing_says_how_to_see_more(tmp_path, caplog, score, told):
    written(tmp_path, [frame(0, (95, 63), score=score)])

    assert ("no keypoint has a score of 0.6" in caplog.text) == told
