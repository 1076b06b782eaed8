"""`dlcore predict`, from the command line to files, with a network that has never been trained."""

from __future__ import annotations

import json

import cv2
import pandas as pd
import pytest
import torch

from tests.core.cli.untrained_run import untrained_run
from tests.videos import frame, write_video


@pytest.fixture(scope="module")
def run(tmp_path_factory, host):
    """The folder of a run whose network is as it was made."""
    return untrained_run(tmp_path_factory.mktemp("first"), host)


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", 9, (96, 64))


def test_help_shows_examples_without_torch(dlcore_process):
    shown = dlcore_process("predict", "--help")

    assert shown.code == 0
    assert "dlcore predict runs/first mouse.mp4 --frames 0:500 --video" in shown.out
    assert "torch" not in shown.modules


def test_a_video_and_images_become_files(dlcore, run, clip, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(2):
        cv2.imwrite(str(images / f"{number}.png"), frame(number, (96, 64)))
    output = tmp_path / "out"
    command = ("predict", run, clip, images, "--output", output, "--device", "cpu")

    done = dlcore(
        *command, "--format", "deeplabcut", "--format", "coco", "--frames", "1:", "--video"
    )

    assert done.code == 0, done.err
    (table,) = output.glob("clipDLC*.h5")
    assert pd.read_hdf(table).index.tolist() == list(range(1, 9))
    assert {"clip.coco.json", "clip_labelled.mp4"} <= {path.name for path in output.iterdir()}
    assert f"{clip}: 8 frames" in done.out
    assert f"{images}: 1 images" in done.out
    again = dlcore(*command)
    assert again.code == 0
    assert f"kept: {table} exists already; --overwrite replaces it" in again.err


def test_a_format_and_a_tracker_may_be_blocks_with_options(dlcore, run, clip, tmp_path):
    wanted = "{type: coco, category_id: 3}"

    done = dlcore("predict", run, clip, "--format", wanted, "--crop", "10,10,64,48")

    assert done.code == 0, done.err
    entries = json.loads((tmp_path / "clip.coco.json").read_text())
    assert {entry["category_id"] for entry in entries} <= {3}


def test_one_bad_source_does_not_keep_the_others_from_being_predicted(dlcore, run, clip, tmp_path):
    empty = tmp_path / "empty.mp4"
    empty.touch()

    done = dlcore("predict", run, empty, clip)

    assert done.code == 1
    assert "empty.mp4' is empty (0 bytes)" in done.err
    assert list(tmp_path.glob("clipDLC*.h5"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--frames", "9"), "is not like 100:200"),
        (("--frames", "5:5"), "is not like 100:200"),
        (("--crop", "1,2,3"), "is not like 0,40,640,400"),
        (("--crop", "0,0,200,20"), "does not lie in"),
        (("--format", "cocoo"), "coco"),
        (("--format", "{type: coco, categori: 1}"), "categori"),
        (("--tracker", "nobody"), "nobody"),
        (("--snapshot", "77"), "there are: snapshot-003.pt"),
        (("--format", "deeplabcut", "--format", "deeplabcut"), "two formats write"),
    ],
)
def test_wrong_options_are_told(dlcore, run, clip, arguments, message):
    done = dlcore("predict", run, clip, *arguments)

    assert done.code != 0
    assert message in done.err


def test_a_snapshot_of_another_config_is_refused(dlcore, run, clip, tmp_path):
    other = tmp_path / "snapshot-009.pt"
    content = torch.load(run / "snapshot-003.pt", weights_only=True)
    content["model"] = {
        name: value[:1] if name.startswith("heads") else value
        for name, value in content["model"].items()
    }
    torch.save(content, other)

    done = dlcore("predict", run, clip, "--snapshot", other)

    assert done.code == 1
    assert "snapshot-009.pt" in done.err
    assert "heads.bodypart" in done.err


def test_a_folder_without_images_is_told(dlcore, run, tmp_path):
    (tmp_path / "none").mkdir()

    done = dlcore("predict", run, tmp_path / "none")

    assert done.code == 1
    assert "holds no images or videos" in done.err
