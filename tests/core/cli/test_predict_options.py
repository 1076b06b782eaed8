"""Each option of `dlcore predict` does what it says; conditional and top-down models, too."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from dlcore.data import video
from dlcore.inference import network
from dlcore.interfaces import PoseTask
from dlcore.model import PoseModel
from tests.core.cli.untrained_run import TASK, untrained_run
from tests.videos import write_video

TWO = PoseTask(TASK.keypoints, individuals=("a", "b"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, host):
    """A bottom-up run and a conditional one, of two keypoints."""
    folder = tmp_path_factory.mktemp("runs")

    def conditional(config):
        config["method"] = "ctd"
        config["data"]["inference"]["top_down_crop"] = {"width": 64, "height": 64}
        config["model"]["backbone"] = {
            "type": "CondPreNet",
            "backbone": config["model"]["backbone"],
            "kpt_encoder": {"type": "StackedKeypointEncoder", "num_joints": 2},
            "img_size": [64, 64],
            "freeze_bn_stats": False,
            "freeze_bn_weights": False,
        }

    _make_sure(untrained_run(folder / "bottom_up", host) / "snapshot-003.pt")
    untrained_run(folder / "two", host, task=TWO)
    untrained_run(folder / "conditional", host, conditional)
    return folder


def _make_sure(snapshot):
    """Let every keypoint have a score that a conditional model takes."""
    content = torch.load(snapshot, weights_only=True)
    for name, value in content["model"].items():
        if "heatmap" in name and name.endswith("bias"):
            value.fill_(0.5)
    torch.save(content, snapshot)


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", 9, (96, 64))


@pytest.fixture
def seen(monkeypatch):
    """What reaches the network: a (B, 3, H, W) shape, the device and the arithmetic of each."""
    given = []
    forward = PoseModel.forward

    def spy(self, images, conditions=None):
        low = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        given.append((tuple(images.shape), images.device.type, low))
        return forward(self, images, conditions)

    monkeypatch.setattr(PoseModel, "forward", spy)
    monkeypatch.setattr(network, "fold_norms", lambda model, compute: 0)  # looks at one image first
    return given


@pytest.fixture
def decoded(monkeypatch):
    """Frames that are turned into pixels; the first one also tells the size of a video."""
    frames = []
    pixels = video._ToRGB.__call__

    def spy(self, frame):
        frames.append(frame.pts)
        return pixels(self, frame)

    monkeypatch.setattr(video._ToRGB, "__call__", spy)
    return frames


def table(folder):
    (path,) = folder.glob("*.h5")
    return pd.read_hdf(path)


def test_frames_and_batch_size(dlcore, runs, clip, tmp_path, seen, decoded):
    done = dlcore("predict", runs / "bottom_up", clip, "--frames", "2:9", "--batch-size", "3")

    assert done.code == 0, done.err
    assert [shape[0] for shape, _, _ in seen] == [3, 3, 1]
    assert table(tmp_path).index.tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert "7 frames" in done.out


def test_the_network_sees_only_the_crop_and_places_are_those_of_the_frame(
    dlcore, runs, clip, tmp_path, seen
):
    done = dlcore("predict", runs / "bottom_up", clip, "--crop", "32,16,64,48")

    assert done.code == 0, done.err
    assert {shape[2:] for shape, _, _ in seen} == {(48, 64)}
    x, y = (table(tmp_path).xs(c, axis=1, level="coords").to_numpy() for c in "xy")
    assert x.min() > 20  # of a network that has learned nothing: near the crop, at least
    assert y.min() > 4


@pytest.mark.parametrize(("precision", "low"), [("fp32", None), ("bf16", torch.bfloat16)])
def test_device_and_precision(dlcore, runs, clip, seen, precision, low):
    done = dlcore("predict", runs / "bottom_up", clip, "--device", "cpu", "--precision", precision)

    assert done.code == 0, done.err
    assert {device for _, device, _ in seen} == {"cpu"}
    assert {arithmetic for _, _, arithmetic in seen} == {low}


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_told(dlcore, runs, clip, device):
    done = dlcore("predict", runs / "bottom_up", clip, "--device", device)

    assert done.code == 1
    assert device in done.err
    assert "Traceback" not in done.err


def test_rough_poses_of_a_conditional_model_come_from_a_file(dlcore, runs, clip, tmp_path, seen):
    poses = [[[[40, 30, 1.0], [50, 36, 1.0]]] if number % 2 == 0 else [] for number in range(9)]
    rough = tmp_path / "rough.json"
    rough.write_text(json.dumps(poses))

    done = dlcore(
        *("predict", runs / "conditional", clip, "--conditions", rough),
        *("--format", "coco", "--set", "data.bbox_margin=5"),
    )

    assert done.code == 0, done.err
    entries = json.loads((tmp_path / "clip.coco.json").read_text())
    assert [entry["image_id"] for entry in entries] == [0, 2, 4, 6, 8]
    assert all(entry["bbox"] == [35, 25, 20, 16] for entry in entries)


def test_rough_poses_of_a_conditional_model_come_from_another_run(
    dlcore, runs, clip, tmp_path, decoded
):
    command = ("predict", runs / "conditional", clip, "--format", "coco")

    done = dlcore(*command, "--conditions", runs / "bottom_up")

    assert done.code == 0, done.err
    assert len(decoded) == 9 + 1
    entries = json.loads((tmp_path / "clip.coco.json").read_text())
    assert [entry["image_id"] for entry in entries] == list(range(9))
    without = dlcore(*command, "--overwrite")
    assert without.code == 1
    assert "--conditions" in without.err


def test_a_top_down_model_decodes_each_frame_once(dlcore, shared, tmp_path, decoded):
    run = shared / "peer" / "snapshots" / "multi_rtmpose_s"
    clip = shared / "peer" / "projects" / "multi" / "videos" / "clip.mp4"

    done = dlcore("predict", run, clip, "--frames", ":3", "--output", tmp_path, "--device", "cpu")

    assert done.code == 0, done.err
    assert len(decoded) == 3 + 1
    assert np.isfinite(table(tmp_path).to_numpy()).any()


def test_predictions_with_and_without_a_tracker_lie_side_by_side(dlcore, runs, clip, tmp_path):
    command = ("predict", runs / "two", clip)
    names = {False: "clipDLC_Dlcore_two_snapshot_3", True: "clipDLC_Dlcore_two_snapshot_3_el"}
    plain = dlcore(*command, "--tracker", "none", "--frames", ":4")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("clipDLC*")}

    tracked = dlcore(*command)

    assert (plain.code, tracked.code) == (0, 0), tracked.err
    assert sorted(before) == sorted(
        [f"{names[False]}{end}" for end in (".csv", ".h5", "_meta.pickle")]
    )
    assert all((tmp_path / name).read_bytes() == content for name, content in before.items())
    assert len(pd.read_hdf(tmp_path / f"{names[True]}.h5")) == 9
    assert "kept" not in tracked.err
    assert pd.read_pickle(tmp_path / f"{names[False]}_meta.pickle")["data"]["nframes"] == 9
    again = dlcore(*command)
    assert again.err.count("kept: ") == 3
