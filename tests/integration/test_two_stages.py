"""A top-down run: the detector, then the pose model; one of them; resumed in either."""

from __future__ import annotations

import json
import shutil
import textwrap

import numpy as np
import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.cli.options import make_host
from dlcore.engine.dry_run import OutOfMemoryError
from dlcore.engine.snapshots import list_snapshots, load_snapshot
from dlcore.inference.evaluation import evaluate
from dlcore.inference.images import InputImage
from dlcore.inference.loading import load_estimator
from dlcore.inference.trained_run import TrainedRun
from dlcore.testing.animals import KEYPOINTS, write_animals
from dlcore_plugins.torchvision_detectors.ssdlite import SSDLite
from tests.integration.conftest import small_config

PLUGIN = '''
import os
import signal

import torch
from torch import nn

from dlcore import Component, hookimpl
from dlcore.interfaces import Detector, Logger


@hookimpl
def register_detectors():
    return [Component("TinyDetector", f"{__name__}:TinyDetector")]


@hookimpl
def register_loggers():
    return [Component("CtrlC", f"{__name__}:CtrlC")]


class TinyDetector(Detector):
    """Learns where the mean box is; drops some of what it sees."""

    def __init__(self, *, pretrained: bool | str | None = None):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.Dropout(0.5))
        self.box = nn.Linear(4, 4)

    def forward(self, images, targets=None):
        seen = self.box(self.net(images).mean((2, 3)))
        if self.training:
            truth = torch.stack(
                [t["boxes"].mean(0) if len(t["boxes"]) else torch.zeros(4) for t in targets]
            )
            return {"box": (seen - truth / 100).abs().mean()}, []
        return {}, [
            {"boxes": 100 * box[None], "scores": torch.ones(1), "labels": torch.ones(1).long()}
            for box in seen
        ]


class CtrlC(Logger):
    """Interrupts a stage after the first epoch."""

    def __init__(self, run, *, stage: str):
        self.armed = run.stage == stage and run.resumed_from_epoch == 0

    def log(self, metrics, step):
        if self.armed and step == 1:
            os.kill(os.getpid(), signal.SIGINT)
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images with two animals each, and a config that trains both stages in a second or two."""
    folder = tmp_path_factory.mktemp("two_stages")
    write_animals(folder / "animals", num_train=4, num_test=2, size=64, num_animals=2)
    (folder / "tiny_detector_plugin.py").write_text(textwrap.dedent(PLUGIN))
    config = small_config(folder / "animals")
    config["method"] = "td"
    config["plugins"] = ["tiny_detector_plugin.py"]
    config["data"]["train"]["top_down_crop"] = {"width": 64, "height": 64}
    config["data"]["inference"]["top_down_crop"] = {"width": 64, "height": 64}
    config["train_settings"]["display_iters"] = 1
    settings = {"epochs": 2, "batch_size": 2, "display_iters": 1}
    config["detector"] = {
        "model": {"type": "TinyDetector"},
        "data": {"train": {"affine": {"p": 0.5, "rotation": 30}, "normalize_images": True}},
        "runner": {
            "precision": "fp32",
            "eval_interval": 1,
            "optimizer": {"type": "AdamW", "params": {"lr": 1e-3}},
            "snapshots": {"max_snapshots": 5, "save_epochs": 1},
        },
        "train_settings": settings,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def train(folder):
    """Runs `dlcore train` and gives the exit code."""

    def run(output, *more):
        return main(["train", str(folder / "config.yaml"), "--output", str(output), *more])

    return run


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    """The folder of a run that nothing interrupted."""
    output = tmp_path_factory.mktemp("whole") / "run"
    assert train(output) == 0
    return output


def epochs(output, prefix="snapshot"):
    return sorted(snapshot.epoch for snapshot in list_snapshots(output, prefix))


def last_weights(output, prefix):
    newest = max(list_snapshots(output, prefix), key=lambda snapshot: snapshot.epoch)
    return load_snapshot(newest.path)["model"]


def assert_same_weights(one, other):
    for prefix in ("snapshot-detector", "snapshot"):
        first, second = last_weights(one, prefix), last_weights(other, prefix)
        assert first.keys() == second.keys()
        assert [key for key in first if not torch.equal(first[key], second[key])] == []


def test_one_command_trains_both_stages(whole):
    assert epochs(whole, "snapshot-detector") == [1, 2]
    assert epochs(whole) == [1, 2]
    for name in ("learning_stats.csv", "learning_stats_detector.csv"):
        assert len((whole / name).read_text().splitlines()) == 3
    header = (whole / "learning_stats_detector.csv").read_text().splitlines()[0].split(",")
    assert "losses/train.box" in header
    assert "metrics/test.mAP@50:95" in header
    log = (whole / "train.txt").read_text()
    assert log.index("stage: detector") < log.index("stage: pose")


def test_a_stage_can_be_trained_alone_and_the_other_later(train, whole, tmp_path):
    assert train(tmp_path, "--stage", "detector") == 0
    assert epochs(tmp_path) == []
    assert epochs(tmp_path, "snapshot-detector") == [1, 2]

    assert train(tmp_path, "--stage", "pose") == 0
    assert epochs(tmp_path) == [1, 2]
    assert_same_weights(tmp_path, whole)


def test_the_pose_model_alone_needs_no_detector(train, tmp_path):
    assert train(tmp_path, "--stage", "pose") == 0
    assert epochs(tmp_path, "snapshot-detector") == []
    assert epochs(tmp_path) == [1, 2]


def test_a_detector_of_no_epochs_is_left_out(train, tmp_path, capsys):
    none = ("--set", "detector.train_settings.epochs=0")
    assert train(tmp_path, *none) == 0
    assert epochs(tmp_path, "snapshot-detector") == []
    assert epochs(tmp_path) == [1, 2]

    assert train(tmp_path / "none", "--stage", "detector", *none) == 1
    stderr = capsys.readouterr().err
    assert "detector.train_settings.epochs: is 0: there is nothing to train" in stderr


def test_a_detector_of_coco_is_used_as_it_is(train, tmp_path):
    """Its weights are random here, so that it finds this and that."""
    torch.manual_seed(0)
    network = SSDLite(classes=["dog"]).state_dict()
    torch.save(network, tmp_path / "coco.pth")
    model = f"{{type: SSDLite, classes: [cat, dog], pretrained: {tmp_path / 'coco.pth'}}}"
    coco = ("--set", f"detector.model={model}", "--set", "detector.train_settings.epochs=0")
    output = tmp_path / "run"

    assert train(output, *coco) == 0
    assert epochs(output, "snapshot-detector") == []
    assert main(["evaluate", str(output)]) == 0

    metrics = json.loads((output / "evaluation_test.json").read_text())
    assert "rmse" in json.dumps(metrics)


def test_too_little_memory_names_the_batch_size_of_the_stage(train, tmp_path, capsys, monkeypatch):
    def too_large(runner, batch):
        raise OutOfMemoryError(4)

    monkeypatch.setattr("dlcore.engine.prepare.try_step", too_large)

    assert train(tmp_path / "detector") == 1
    assert "try --set detector.train_settings.batch_size=2" in capsys.readouterr().err
    assert train(tmp_path / "pose", "--stage", "pose") == 1
    assert "try --set train_settings.batch_size=2" in capsys.readouterr().err


def test_a_config_without_a_detector_cannot_train_one(train, tmp_path, capsys):
    assert train(tmp_path, "--stage", "detector", "--set", "detector=null") == 1
    assert "detector: there is none to train" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["detector", "pose"])
def test_resuming_after_an_interruption_in_either_stage_is_exact(
    train, whole, tmp_path, stage, capsys
):
    stop = ("--set", f"logger=[{{type: CtrlC, stage: {stage}}}]")

    assert train(tmp_path, *stop) == 130
    assert "--resume" in capsys.readouterr().err
    done = {prefix: epochs(tmp_path, prefix) for prefix in ("snapshot-detector", "snapshot")}
    assert done == (
        {"snapshot-detector": [1], "snapshot": []}
        if stage == "detector"
        else {"snapshot-detector": [1, 2], "snapshot": [1]}
    )

    assert train(tmp_path, "--resume") == 0
    assert_same_weights(tmp_path, whole)
    for name in ("learning_stats.csv", "learning_stats_detector.csv"):
        assert (tmp_path / name).read_text() == (whole / name).read_text()


def test_both_stages_can_be_trained_further(train, whole, tmp_path):
    longer = ("--set", "detector.train_settings.epochs=3", "--set", "train_settings.epochs=3")
    output = shutil.copytree(whole, tmp_path / "run")
    assert train(output, "--resume", *longer) == 0

    assert epochs(output, "snapshot-detector") == epochs(output) == [1, 2, 3]


def test_only_the_detector_can_be_trained_further(train, tmp_path):
    assert train(tmp_path, "--stage", "detector") == 0
    longer = ("--set", "detector.train_settings.epochs=3")
    assert train(tmp_path, "--stage", "detector", "--resume", *longer) == 0

    assert epochs(tmp_path, "snapshot-detector") == [1, 2, 3]


def test_a_named_snapshot_of_either_stage_is_gone_on_from(train, whole, tmp_path):
    [first] = [s.path for s in list_snapshots(whole, "snapshot-detector") if s.epoch == 1]
    named = ("--set", f"detector.resume_training_from={first}")
    assert train(tmp_path, "--stage", "detector", *named) == 0
    assert epochs(tmp_path, "snapshot-detector") == [2]

    [first] = [s.path for s in list_snapshots(whole) if s.epoch == 1]
    assert train(tmp_path, "--stage", "pose", "--resume", str(first)) == 0
    assert epochs(tmp_path) == [2]


def test_odd_boxes_and_images_without_animals_are_trained_on(train, folder, tmp_path, capsys):
    """Of eight individuals, those in the last image are not labelled; one box lies outside."""
    shutil.copytree(folder / "animals", tmp_path / "animals")
    path = tmp_path / "animals" / "train.json"
    content = json.loads(path.read_text())
    annotations = [a for a in content["annotations"] if a["image_id"] != 3]
    annotations[0]["bbox"] = [500, 500, 20, 20]
    annotations[1]["bbox"] = [10, 10, 0, 20]  # the keypoints are taken instead
    annotations[2]["bbox"] = [-50, -50, 500, 500]
    annotations[3]["bbox"] = [float("nan"), 10, 20, 20]
    content["annotations"] = annotations
    path.write_text(json.dumps(content))

    code = train(tmp_path / "run", "--set", f"dataset.root={tmp_path / 'animals'}")

    stderr = capsys.readouterr().err
    assert code == 0
    assert "4 training and 2 test images" in stderr
    assert "crops: 5 for training, 4 for testing" in stderr


def test_more_animals_than_the_config_knows_are_told_before_the_first_epoch(
    train, tmp_path, capsys
):
    names = ", ".join(KEYPOINTS)
    more = ("--set", f"metadata.bodyparts=[{names}]", "--set", "metadata.individuals=[one]")

    assert train(tmp_path / "run", *more) == 1
    stderr = capsys.readouterr().err
    assert "has 2 labelled individuals, but the config has place for 1" in stderr
    assert "metadata.individuals" in stderr
    assert "epoch 1" not in stderr


def test_a_given_detector_is_taken_instead_of_training_one(train, whole, tmp_path):
    last = max(list_snapshots(whole, "snapshot-detector"), key=lambda found: found.epoch).path

    assert train(tmp_path, "--detector-snapshot", str(last)) == 0

    assert epochs(tmp_path, "snapshot-detector") == [2]
    assert_same_weights(tmp_path, whole)
    assert not (tmp_path / "learning_stats_detector.csv").exists()


def test_a_given_detector_must_fit(train, whole, tmp_path, capsys):
    pose = max(list_snapshots(whole), key=lambda found: found.epoch).path

    assert train(tmp_path / "a", "--detector-snapshot", str(pose)) == 1
    assert str(pose) in capsys.readouterr().err
    assert not (tmp_path / "a").exists()

    first, last = sorted(list_snapshots(whole, "snapshot-detector"), key=lambda s: s.epoch)
    assert train(tmp_path / "b", "--detector-snapshot", str(first.path)) == 0
    code = train(tmp_path / "b", "--overwrite", "--detector-snapshot", str(last.path))
    assert code == 1
    assert "already holds a detector (snapshot-detector-001.pt)" in capsys.readouterr().err


def evaluated(capsys, run, *more):
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_top_down_run_is_evaluated_in_true_boxes_and_in_those_of_its_detector(whole, capsys):
    true = evaluated(capsys, whole, "--boxes", "truth")
    found = evaluated(capsys, whole, "--boxes", "detector")

    assert true["boxes"] == "truth"
    assert "detector.mAP@50" not in true["metrics"]
    logged = (whole / "learning_stats.csv").read_text().splitlines()
    at_the_end = dict(zip(logged[0].split(","), logged[-1].split(","), strict=True))
    assert true["snapshot"] == "snapshot-best-002.pt" or true["snapshot"] == "snapshot-002.pt"
    assert true["metrics"]["rmse"] == pytest.approx(
        float(at_the_end["metrics/test.rmse"]), rel=1e-3
    )
    assert found["metrics"]["detector.mAP@50"] < 100
    assert found["metrics"]["images_with_all_found"] < 100  # the detector finds one box an image
    assert json.loads((whole / "evaluation_test.json").read_text()) == found


def test_no_box_means_no_animal(whole):
    host = make_host(())
    run = TrainedRun.open(whole, host)
    estimator = load_estimator(run)

    class Blind(torch.nn.Module):
        def forward(self, images, targets=None):
            nothing = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0)}
            return {}, [nothing for _ in images]

    estimator.finder.detector = Blind()
    image = np.zeros((40, 50, 3), np.uint8)
    box = np.array([[5.0, 5, 20, 20], [5, 5, 0, 20], [np.nan, 5, 20, 20]])

    blind, given, also_blind = estimator.predict(
        [InputImage(image), InputImage(image, boxes=box), InputImage(image)]
    )

    assert blind.poses.shape == also_blind.poses.shape == (0, len(KEYPOINTS), 3)
    assert given.poses.shape == (1, len(KEYPOINTS), 3)
    assert evaluate(estimator, run.dataset().records("test")).metrics["individuals_found"] == 0
