"""DeepLabCut reads snapshots that dlcore trained, predicts the same with them and trains on.

Each family starts from weights that DeepLabCut trained, so that there is something to predict.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcore.config.loading import load_config
from dlcore.engine.request import RunRequest
from dlcore.engine.run import train
from dlcore.engine.snapshots import list_snapshots
from tests.predicting import find_boxes, predict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Left out, DeepLabCut puts the image at a random place.
PADDING = "{pad_width_divisor: 32, pad_height_divisor: 32, position: top_left}"
AT_TOP_LEFT = ("--set", f"data.inference.auto_padding={PADDING}")


@dataclass(frozen=True)
class Family:
    """A kind of model, and how it is trained a little.

    Attributes:
        project: One of the reference's projects.
        shuffle: Of that project.
        source: The reference's snapshot whose config is used; empty for that of the shuffle.
        changes: To the config.
        init_from: A snapshot of the reference to start from.
        resume: Snapshots of the reference, by config key, to go on from.
        options: For DeepLabCut's prediction.
        epoch: The last one.
    """

    project: str
    shuffle: int
    source: str
    changes: tuple[str, ...]
    init_from: str = ""
    resume: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    epoch: int = 1


BRIEF = ("train_settings.epochs=1", "train_settings.batch_size=4")
FAMILIES = {
    "heatmap": Family(
        "single",
        2,
        "",
        (*BRIEF, "model.backbone.pretrained=false"),
        init_from="openfield_cspnext_s/snapshot-best-035.pt",
    ),
    "part affinity": Family(
        "multi_identity_unique",
        1,
        "multi_identity_unique_cspnext_s",
        BRIEF,
        init_from="multi_identity_unique_cspnext_s/snapshot-best-060.pt",
    ),
    "dekr": Family(
        "multi",
        2,
        "multi_dekr_w18",
        ("train_settings.epochs=21", "train_settings.batch_size=4"),
        resume=(("resume_training_from", "multi_dekr_w18/snapshot-best-020.pt"),),
        options=AT_TOP_LEFT,
        epoch=21,
    ),
    "simcc": Family(
        "multi",
        1,
        "multi_rtmpose_s",
        (
            "train_settings.epochs=41",
            "train_settings.batch_size=8",
            "detector.train_settings.epochs=41",
            "detector.train_settings.batch_size=4",
        ),
        resume=(
            ("resume_training_from", "multi_rtmpose_s/snapshot-best-040.pt"),
            ("detector.resume_training_from", "multi_rtmpose_s/snapshot-detector-best-040.pt"),
        ),
        epoch=41,
    ),
}


class Trained:
    """A family trained by dlcore, and what DeepLabCut predicts with it."""

    def __init__(self, family: Family, folder: Path, peer) -> None:
        self.family = family
        self.folder = folder
        self.config = folder / "pytorch_config.yaml"
        self.project = next(parent for parent in folder.parents if parent.name == family.project)
        self.snapshot = list_snapshots(folder)[-1].path
        detectors = list_snapshots(folder, "snapshot-detector")
        self.detector = detectors[-1].path if detectors else None
        self.images = sorted((self.project / "labeled-data" / "clip").glob("*.png"))[:3]
        options = [*family.options, "--snapshot", self.snapshot]
        if self.detector is not None:
            options += ["--detector-snapshot", self.detector]
        out = folder / "deeplabcut.npz"
        peer("predict", self.config, *self.images, *options, "--out", out)
        with np.load(out) as file:
            self.there = {key: file[key] for key in file.files}

    def there_by_image(self, name: str) -> list[np.ndarray]:
        return [self.there[name.format(number)] for number in range(len(self.images))]


@pytest.fixture(scope="module")
def trained(peer, run_of, shared):
    """Trains a family, once."""
    made = {}

    def get(name: str) -> Trained:
        if name not in made:
            family = FAMILIES[name]
            snapshots = shared / "peer" / "snapshots"
            resume = [f"{key}={snapshots / path}" for key, path in family.resume]
            folder = run_of(
                family.project,
                family.shuffle,
                family.source,
                *family.changes,
                *resume,
                init_from=family.init_from,
            )
            made[name] = Trained(family, folder, peer)
        return made[name]

    return get


def assert_outputs_agree(seen, there):
    for number, one in enumerate(seen):
        for head, named in one.outputs.items():
            for name, value in named.items():
                expected = there[f"model_calls/{number}/output/{head}/{name}"]
                error = np.abs(value - expected).max()
                assert error <= 1e-4 * np.abs(expected).max(), (number, head, name)


def assert_poses_agree(ours, theirs):
    theirs = theirs[..., :3].copy()
    theirs[theirs[..., 2] < 0] = np.nan
    np.testing.assert_allclose(ours[..., :2], theirs[..., :2], rtol=0, atol=0.01)
    np.testing.assert_allclose(ours[..., 2], theirs[..., 2], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["heatmap", "part affinity", "dekr"])
def test_whole_images_give_the_same_outputs_and_poses(name, trained, host):
    run = trained(name)

    seen = predict(host, run.config, run.snapshot, run.images)

    assert_outputs_agree(seen, run.there)
    for one, poses in zip(seen, run.there_by_image("final/{}/bodyparts"), strict=True):
        assert np.isfinite(one.poses).any()
        assert_poses_agree(one.poses, poses)
    if name == "part affinity":
        for one, unique in zip(seen, run.there_by_image("final/{}/unique_bodyparts"), strict=True):
            assert_poses_agree(one.unique, unique)


def test_crops_give_the_same_outputs_and_poses(trained, host):
    run = trained("simcc")
    boxes = run.there_by_image("context/{}/bboxes")

    seen = predict(host, run.config, run.snapshot, run.images, boxes)

    assert_outputs_agree(seen, run.there)
    poses = iter(seen)
    for found, expected in zip(boxes, run.there_by_image("final/{}/bodyparts"), strict=True):
        assert len(found)
        for row in range(len(found)):
            assert_poses_agree(next(poses).poses[0], expected[row])


def test_the_detector_gives_the_same_boxes_and_scores(trained, host):
    run = trained("simcc")

    found = find_boxes(host, run.config, run.detector, run.images)

    boxes = run.there_by_image("context/{}/bboxes")
    scores = run.there_by_image("context/{}/bbox_scores")
    for one, places, certain in zip(found, boxes, scores, strict=True):
        assert len(one.boxes)
        np.testing.assert_allclose(one.boxes, places, rtol=0, atol=0.01)
        np.testing.assert_allclose(one.scores, certain, rtol=1e-4)


@pytest.mark.parametrize("what", ["pose", "detector"])
def test_snapshots_load_strictly_and_are_listed(what, trained, peer):
    run = trained("simcc")
    snapshot, options = run.snapshot, []
    if what == "detector":
        snapshot, options = run.detector, ["--detector"]

    answer = peer("readback", "--config", run.config, "--snapshot", snapshot, *options)

    assert answer["ok"], answer["checks"]
    checks = answer["checks"]
    content = checks["snapshot loads (weights_only, strict)"]["detail"]
    assert content["metadata"]["epoch"] == run.family.epoch
    assert content["metadata"]["metrics"]
    best = "best" in snapshot.name
    assert [snapshot.name, run.family.epoch, best] in checks["snapshots are listed"]["detail"]


def steps_of(snapshot: Path) -> int:
    """How often the optimizer has stepped, by the state in a snapshot."""
    state = torch.load(snapshot, weights_only=True)["optimizer"]["state"]
    assert state
    return int(next(iter(state.values()))["step"])


@pytest.mark.parametrize("name", ["part affinity", "simcc"])
def test_training_goes_on_there_and_back_here_with_the_optimizer_of_the_other(
    name, trained, peer, host, tmp_path
):
    run = trained(name)
    epoch, there = run.family.epoch, tmp_path / "there"
    keep = ("--set", "runner.snapshots.save_optimizer_state=true")

    peer(
        *("train", run.project, run.config, "--shuffle", run.family.shuffle, *keep),
        *("--set", f"resume_training_from={run.snapshot}", "--epochs", 1, "--batch", 8),
        *("--workers", 0, "--eval-interval", 1, "--out", there),
    )

    theirs = list_snapshots(there)[-1]
    rows = json.loads((there / "train.json").read_text())["pose"]["learning_stats"]
    assert [int(float(row["step"])) for row in rows] == [epoch + 1]
    assert theirs.epoch == epoch + 1
    assert steps_of(theirs.path) > steps_of(run.snapshot)

    here = tmp_path / "here"
    changes = [f"train_settings.epochs={epoch + 2}", f"resume_training_from={theirs.path}"]
    if name == "simcc":
        changes.append("detector.train_settings.epochs=0")
    changes += ["runner.snapshots.save_optimizer_state=true", "train_settings.batch_size=8"]
    train(load_config(run.config, host, changes), host, RunRequest(here, device="cpu"))

    ours = list_snapshots(here)[-1]
    assert ours.epoch == epoch + 2
    assert steps_of(ours.path) > steps_of(theirs.path)
    assert "no optimizer state" not in (here / "train.txt").read_text()
