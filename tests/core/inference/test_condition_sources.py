"""`inference.conditions` finds its file, its run or its shuffle; images find their poses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlcore.errors import DataError, DlcoreError
from dlcore.inference.condition_sources import FileConditions, file_of, run_of
from dlcore.inference.images import InputImage
from dlcore.interfaces import PoseTask

TASK = PoseTask(("snout", "tail"))
IMAGE = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture
def conditions(tmp_path):
    """A file of one pose for each image; x tells which."""
    names = ["labeled-data/m1/img0.png", "labeled-data/m2/img0.png", "a/img1.png"]
    poses = {name: [[[number, 0, 1], [number, 1, 1]]] for number, name in enumerate(names, 1)}
    path = tmp_path / "poses.json"
    path.write_text(json.dumps(poses))
    return FileConditions(path, TASK)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (("labeled-data", "m1", "img0.png"), 1),
        (("m2", "img0.png"), 2),  # the end of one name
        (("img1.png",), 3),
        (("home", "me", "a", "img1.png"), 3),  # a name is its end
    ],
)
def test_an_image_is_known_by_the_end_of_its_path(conditions, key, expected):
    assert conditions(InputImage(IMAGE, key))[0, 0, 0] == expected


@pytest.mark.parametrize("key", [("img0.png",), ("m3", "img0.png"), ("b", "img1.png"), ()])
def test_an_image_that_is_unknown_or_could_be_several_is_an_error(conditions, key):
    with pytest.raises(DataError, match="has no poses for the image"):
        conditions(InputImage(IMAGE, key))


def test_frames_of_a_video_are_known_by_their_number(tmp_path):
    path = tmp_path / "frames.json"
    path.write_text(json.dumps([[[[5, 6, 1], [7, 8, 1]]], []]))
    conditions = FileConditions(path, TASK)

    assert conditions(InputImage(IMAGE, ("0",))).shape == (1, 2, 3)
    assert conditions(InputImage(IMAGE, ("1",))).shape == (0, 2, 3)


def test_files_are_relative_to_the_config():
    folder = Path("/some/where")
    assert file_of("poses.h5", folder) == folder / "poses.h5"
    assert file_of({"source": "file", "filepath": "/else/poses.json"}, folder) == Path(
        "/else/poses.json"
    )
    assert file_of({"shuffle": 1}, folder) is None


def test_a_shuffle_is_one_of_the_same_project_or_of_a_named_one(shared, host):
    project = shared / "peer" / "projects" / "multi"
    trains = project / "dlc-models-pytorch" / "iteration-0"
    place = trains / "synJan1-trainset80shuffle1" / "train" / "pytorch_config.yaml"

    own, which = run_of({"shuffle": 2, "config": None, "snapshot": None}, place, host)
    expected = trains / "synJan1-trainset80shuffle2" / "train"
    assert own.folder.resolve() == expected.resolve()
    assert which is None

    block = {"shuffle": 3, "config": str(project / "config.yaml"), "snapshot": "snapshot-010.pt"}
    other, which = run_of(block, Path("/else/where/pytorch_config.yaml"), host)
    expected = trains / "synJan1-trainset80shuffle3" / "train"
    assert other.folder.resolve() == expected.resolve()
    assert which == "snapshot-010.pt"

    with pytest.raises(DlcoreError, match="shuffle"):
        run_of({"shuffle": 77}, place, host)
