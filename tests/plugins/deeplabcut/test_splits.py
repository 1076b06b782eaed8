"""Splits: read from a shuffle, or made from names."""

import logging
import pickle

import numpy as np
import pytest

from dlcore import DataError
from dlcore_plugins.deeplabcut.splits import make_split, read_split

IMAGES = [("labeled-data", "v", f"img{i:03d}.png") for i in range(40)]


def write(path, *content):
    path.write_bytes(pickle.dumps(list(content)))
    return path


def test_rows_keep_the_order_of_the_shuffle(tmp_path):
    path = write(tmp_path / "s.pickle", [], np.array([3, 0, 2]), np.array([1]), 0.75)

    assert read_split(path, 4) == {"train": [3, 0, 2], "test": [1]}


def test_lists_and_empty_splits_are_read(tmp_path):
    path = write(tmp_path / "s.pickle", [], [1, 0], [], 1.0)

    assert read_split(path, 2) == {"train": [1, 0], "test": []}


@pytest.mark.parametrize("row", [4, -1])
def test_rows_of_another_table_are_an_error(row, tmp_path):
    path = write(tmp_path / "s.pickle", [], np.array([0, row]), np.array([1]), 0.5)

    with pytest.raises(DataError, match=rf"puts row {row} into the train split, .* has 4 rows"):
        read_split(path, 4)


@pytest.mark.parametrize(
    "content", [(), ([], ["a"], [1], 0.5), ([], [0.5], [1], 0.5), ([], [[1], [1, 2]], [], 0)]
)
def test_a_pickle_of_something_else_is_named(content, tmp_path):
    path = write(tmp_path / "s.pickle", *content)

    with pytest.raises(DataError, match=r"s\.pickle' does not hold the"):
        read_split(path, 4)


def test_images_in_both_splits_are_announced(tmp_path, caplog):
    path = write(tmp_path / "s.pickle", [], np.array([0, 1]), np.array([1]), 0.5)

    with caplog.at_level(logging.WARNING, logger="dlcore"):
        read_split(path, 2)

    assert "1 images are in the train and in the test split" in caplog.text


def test_a_made_split_holds_every_image_once():
    split = make_split(IMAGES, 0.8, 42)

    assert len(split["test"]) == 8
    assert sorted(split["train"] + split["test"]) == list(range(40))


def test_a_made_split_depends_on_names_and_seed_alone():
    names = make_split(IMAGES, 0.8, 42)["test"]

    assert {IMAGES[i] for i in names} == {
        IMAGES[::-1][i] for i in make_split(IMAGES[::-1], 0.8, 42)["test"]
    }
    assert make_split(IMAGES, 0.8, 43)["test"] != names
    assert names == [4, 5, 10, 18, 20, 30, 35, 39]  # on every machine and in every version


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.999])
def test_two_images_make_two_splits(fraction):
    split = make_split(IMAGES[:2], fraction, 0)

    assert [len(split[name]) for name in ("train", "test")] == [1, 1]


def test_one_image_is_for_training():
    assert make_split(IMAGES[:1], 0.5, 0) == {"train": [0], "test": []}
