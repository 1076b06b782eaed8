"""Every config that DeepLabCut writes is checked, built, trained a step, saved, loaded, used."""

import dataclasses
import os
from pathlib import Path

import pytest
import torch
import yaml

from dlcore.building import build_transform
from dlcore.config.loading import load_config
from dlcore.data.crops import one_individual
from dlcore.engine.assembly import build_detector, build_model, input_size_of
from dlcore.engine.detector_runner import DetectorTrainingRunner
from dlcore.engine.optim import build_optimizer, build_scheduler
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision
from dlcore.engine.snapshots import load_snapshot, load_weights, save_snapshot
from dlcore.errors import ConfigError, DlcoreError
from dlcore.interfaces import PoseTask
from dlcore.testing import fake_batch

_SHARED = Path(os.environ.get("DLCORE_SHARED", ""))
_FOREIGN = ("project_config.yaml", "test_pose_cfg.yaml")
CONFIGS = (
    sorted(p for p in _SHARED.glob("peer/configs/*/*.yaml") if p.name not in _FOREIGN)
    if os.environ.get("DLCORE_SHARED")
    else []
)
REFUSED = {
    # DeepLabCut writes 14 sigmas for a project of another number of bodyparts
    "ctd_prenet_rtmpose_x_human": "sigma",
    "ctd_coam_w48_human": "sigma",
}
SMALL = (64, 64)


def name_of(path):
    return f"{path.parent.name}-{path.stem}"


@pytest.mark.parametrize(
    "path", [p for p in CONFIGS if p.parent.name != "superanimal"], ids=name_of
)
def test_a_config_is_checked_built_trained_saved_loaded_and_used(path, host, tmp_path):
    use(load_config(path, host).config, host, tmp_path)


@pytest.mark.parametrize(
    "path", [p for p in CONFIGS if p.parent.name == "superanimal"], ids=name_of
)
def test_a_superanimal_config_is_used_or_refused_in_words(path, host, tmp_path):
    """Some name other bodyparts than their heads have, or have a crop-only head without crops."""
    said = refusal(load_config(path, host).config, host, tmp_path)

    assert said is None or any(word in said for word in ("keypoint", "individual", "crop"))


def refusal(config, host, tmp_path):
    """What a user is told; None if all goes well."""
    try:
        use(config, host, tmp_path)
    except DlcoreError as error:
        return str(error)
    return None


def use(config, host, tmp_path):
    """Check, train a step, save, load and predict."""
    metadata = config.metadata
    task = PoseTask(
        tuple(metadata.bodyparts) or ("a", "b"),
        tuple(metadata.unique_bodyparts),
        tuple(metadata.individuals),
        bool(metadata.with_identity),
    )
    model = build_model(host, config, task, fresh=False)
    seen = task if config.method == "bu" else one_individual(task)
    crop = config.data.train.top_down_crop or {}
    size = SMALL
    if config.method != "bu":
        size = (crop.get("width") or 256, crop.get("height") or 256)
    batch = fake_batch(seen, input_size_of(model) or size, normalised=True)
    if config.method == "ctd":
        batch = dataclasses.replace(batch, conditions=batch.labels.keypoints[:, 0])
    runner = PoseTrainingRunner(model, task, Precision("fp32", "cpu").autocast)
    optimizer = build_optimizer(
        host, config.runner.optimizer.model_dump(), model.parameters(), "runner.optimizer"
    )
    scheduler = build_scheduler(
        host, config.runner.scheduler.model_dump(), optimizer, "runner.scheduler"
    )

    model.train()
    runner.check_targets(batch)
    loss = runner.losses(batch)["total_loss"]
    loss.backward()
    optimizer.step()
    scheduler.step()

    assert torch.isfinite(loss)
    snapshot = tmp_path / "snapshot-001.pt"
    save_snapshot(
        snapshot,
        {
            "metadata": {"epoch": 1},
            "model": model.state_dict(),
            "scheduler": scheduler.state_dict(),
        },
    )
    poses = [decoded(model, batch)]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    load_weights(model, load_snapshot(snapshot)["model"], snapshot)
    poses.append(decoded(model, batch))

    assert poses[0].shape[0] == 2
    assert poses[0].shape[2] == task.num_keypoints
    torch.testing.assert_close(poses[0], poses[1], equal_nan=True)


@torch.no_grad()
def decoded(model, batch):
    """The poses of bodyparts."""
    return model.eval().predict(model(batch.images, batch.conditions))["bodypart"]["poses"]


def detector_configs():
    """One config for each detector that appears."""
    found = {}
    for path in CONFIGS:
        detector = (yaml.safe_load(path.read_text()) or {}).get("detector") or {}
        model = detector.get("model") or {}
        if model:
            found.setdefault((model["type"], model.get("variant")), path)
    return list(found.values())


@pytest.mark.parametrize("path", detector_configs(), ids=name_of)
def test_a_detector_is_built_trained_and_used(path, host):
    config = load_config(path, host).config
    task = PoseTask(("a", "b"), (), ("one", "two"))
    model = build_detector(host, config, fresh=False)
    runner = DetectorTrainingRunner(model, task, Precision("fp32", "cpu").autocast)
    batch = fake_batch(task, (96, 96), batch=1, normalised=True)

    model.train()
    loss = runner.losses(batch)["total_loss"]
    loss.backward()

    assert torch.isfinite(loss)
    with torch.no_grad():
        _, detections = model.eval()(batch.images)
    assert len(detections) == 1


def test_what_is_refused_is_refused_with_its_place(host, shared):
    for stem, says in REFUSED.items():
        path = shared / "peer" / "configs" / "multi" / f"{stem}.yaml"
        config = load_config(path, host).config
        task = PoseTask(tuple(config.metadata.bodyparts))
        with pytest.raises(ConfigError, match=says):
            build_transform(
                host, "gen_sampling", config.data.gen_sampling or True, task, "data.gen_sampling"
            )
