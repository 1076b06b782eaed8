from __future__ import annotations

import cv2
import numpy as np
import pytest

from dlcore.errors import DataError
from dlcore.runs.picture import draw_comparison
from dlcore.runs.record import read_run
from tests.core.runs.conftest import DETECTOR, TWO_STAGES

BLUE, ORANGE, GREEN = (0x1F, 0x77, 0xB4), (0xFF, 0x7F, 0x0E), (0x2C, 0xA0, 0x2C)


@pytest.fixture
def runs(make_run):
    return {
        "one": read_run(make_run("a")),
        "two": read_run(make_run("b", detector=DETECTOR, **TWO_STAGES)),
    }


def drawn(runs, tmp_path, metric=None):
    path = tmp_path / "picture.png"
    draw_comparison(runs, path, metric)
    return cv2.imread(str(path))[..., ::-1]


def has(image, colour):
    return bool((np.abs(image.astype(int) - colour).max(-1) < 3).any())


def panels(image):
    return round((image.shape[0] / 130 - 0.72) / 2.8)


def test_each_run_has_a_colour_and_a_detector_its_own_panels(runs, tmp_path):
    image = drawn(runs, tmp_path)

    assert has(image, BLUE)
    assert has(image, ORANGE)
    assert not has(image, GREEN)
    assert panels(image) == 2 + 3  # loss and metric of the detector; loss, mAP, rmse
    assert [path.name for path in tmp_path.glob("picture*")] == ["picture.png"]


@pytest.mark.parametrize("metric", ["test.rmse", "losses/train.total_loss", "test.mAP@50:95"])
def test_one_metric_alone_can_be_drawn(runs, tmp_path, metric):
    image = drawn(runs, tmp_path, metric)

    assert panels(image) == (2 if metric.startswith("losses") else 1)
    assert has(image, ORANGE)


def test_a_metric_that_nobody_measured_is_told_with_those_that_were(runs, tmp_path):
    with pytest.raises(DataError, match=r"'speed'; choose one of .*test\.rmse"):
        draw_comparison(runs, tmp_path / "picture.png", "speed")
    assert not (tmp_path / "picture.png").exists()


def test_runs_without_an_epoch_cannot_be_drawn(make_run, tmp_path):
    with pytest.raises(DataError, match="none of the runs has finished an epoch"):
        draw_comparison({"a": read_run(make_run(rows=None))}, tmp_path / "picture.png")


def test_many_runs_and_other_formats(make_run, tmp_path):
    runs = {f"run {n}": read_run(make_run(f"r{n}")) for n in range(12)}
    draw_comparison(runs, tmp_path / "many.svg", "test.rmse")
    assert "<svg" in (tmp_path / "many.svg").read_text()
