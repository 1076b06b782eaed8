"""Previews show what a training sees."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import yaml

from dlcore.config.loading import load_config
from dlcore.engine import preview
from dlcore.engine.pictures import Points, draw_sample
from dlcore.engine.preview import arrange, draw_preview, write_picture
from dlcore.engine.setup import find_dataset, load_run_data
from dlcore.engine.stages import stage_named
from dlcore.errors import DataError
from dlcore.testing.animals import write_animals
from tests.integration.conftest import small_config


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Two animals in each of three training images, and no test images."""
    folder = tmp_path_factory.mktemp("animals")
    write_animals(folder, num_train=3, num_test=1, size=64, num_animals=2)
    return folder


@pytest.fixture
def load(tmp_path, animals, host):
    """Loads a config of a method."""

    def load_method(method, *overrides):
        config = small_config(animals)
        config["method"] = method
        config["data"]["train"]["top_down_crop"] = {"width": 48, "height": 32}
        data = {"train": {"hflip": True}}
        config["detector"] = {"model": {"type": "SSDLite"}, "data": data}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return load_config(path, host, overrides)

    return load_method


def first_batch(loaded, host, stage, epoch=1):
    dataset = find_dataset(loaded, host)
    data = load_run_data(loaded, host, dataset, stage, input_size=None, pin_memory=False)
    return next(data.train.epoch(epoch)), data


@pytest.mark.parametrize(
    ("method", "stage", "size"),
    [("bu", "pose", "64x64"), ("td", "pose", "48x32"), ("td", "detector", "64x64")],
)
def test_what_is_drawn_is_what_a_training_gets(load, host, method, stage, size, monkeypatch):
    loaded = load(method, "train_settings.dataloader_workers=2")
    drawn = []
    monkeypatch.setattr(
        preview, "draw_sample", lambda *args: drawn.append(args) or draw_sample(*args)
    )

    draw_preview(loaded, host, stage_named(loaded.config, stage), count=2)

    batch, data = first_batch(load(method), host, stage_named(loaded.config, stage))
    for row, (image, (points,), boxes, caption) in enumerate(drawn[:2]):
        assert np.array_equal(image, batch.images[row].permute(1, 2, 0).numpy())
        assert np.array_equal(points.truth, batch.labels.keypoints[row].numpy())
        assert np.array_equal(boxes, batch.labels.boxes[row].numpy())
        name = data.train_records[int(batch.indices[row])].image.name
        assert caption == f"{name}, {size}"
    data.close()


def test_epochs_differ_and_repeat(load, host):
    loaded = load("bu")

    def draw(epoch):
        return draw_preview(loaded, host, stage_named(loaded.config, "pose"), count=1, epoch=epoch)

    assert np.array_equal(draw(1), draw(1))
    assert not np.array_equal(draw(1), draw(2))


@pytest.mark.parametrize(("train", "drawn"), [(True, 5), (False, 1)])
def test_training_goes_on_with_the_next_epoch(load, host, train, drawn, monkeypatch):
    loaded = load("bu")
    tiles = []
    monkeypatch.setattr(preview, "arrange", tiles.extend)

    draw_preview(loaded, host, stage_named(loaded.config, "pose"), train=train, count=5)

    assert len(tiles) == drawn


def test_no_images_for_evaluation_are_told(load, host):
    loaded = load("bu", "dataset.test=null")
    with pytest.raises(DataError, match="no images for evaluation"):
        draw_preview(loaded, host, stage_named(loaded.config, "pose"), train=False)


def test_labels_are_drawn_where_they_are():
    black = np.zeros((320, 320, 3), np.uint8)
    nothing = np.zeros((0, 2, 3))
    truth = np.array([[[100.0, 50, 2], [200, 250, 0]]])
    rough = np.array([[[np.nan, np.nan, np.nan], [60.0, 200, 0.9]]])

    plain = draw_sample(black, [Points(nothing, nothing)], np.zeros((1, 4)), "")
    rings = draw_sample(black, [Points(truth, rough)], np.zeros((1, 4)), "")
    boxes = draw_sample(black, [], np.array([[20.0, 30, 100, 80], [0, 0, 0, 0]]), "")

    assert not plain.any()
    rows, columns = np.nonzero(rings.any(axis=2))
    at_truth = (np.hypot(rows - 50, columns - 100) < 10).sum()
    at_rough = (np.hypot(rows - 200, columns - 60) < 10).sum()
    assert at_truth > 10
    assert at_rough > 10
    assert at_truth + at_rough == len(rows)
    rows, columns = np.nonzero(boxes.any(axis=2))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == pytest.approx(
        (20, 30, 119, 109), abs=1
    )


def test_pictures_are_arranged_in_rows():
    tiles = [np.full((10, 20 + i, 3), 200, np.uint8) for i in range(5)]

    sheet = arrange(tiles)

    assert sheet.shape == (2 * 14 - 4, 3 * 28 - 4, 3)
    assert (sheet[14:24, 28:52] == 200).all()
    assert (sheet[14:, 56:] < 100).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures_are_written_in_rgb(tmp_path, suffix):
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 250
    write_picture(tmp_path / "new" / f"red{suffix}", red)

    back = cv2.imread(str(tmp_path / "new" / f"red{suffix}"))
    np.testing.assert_allclose(back[..., ::-1].mean((0, 1)), [250, 0, 0], atol=8)
    assert len(list((tmp_path / "new").iterdir())) == 1
