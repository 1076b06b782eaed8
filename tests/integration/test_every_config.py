"""Every config that DeepLabCut writes is checked, built, trained a step, saved, loaded, used."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
import torch
import yaml

from dlcore.building import build, build_transform
from dlcore.config.loading import load_config
from dlcore.data.crops import one_individual
from dlcore.data.device import to_device
from dlcore.engine.assembly import build_detector, build_model, input_size_of
from dlcore.engine.detector_runner import DetectorTrainingRunner
from dlcore.engine.optim import build_optimizer, build_scheduler
from dlcore.engine.pose_runner import PoseTrainingRunner
from dlcore.engine.precision import Precision
from dlcore.engine.setup import load_run_data
from dlcore.engine.snapshots import load_snapshot, load_weights, save_snapshot
from dlcore.engine.stages import stages_of
from dlcore.errors import ConfigError, DlcoreError
from dlcore.interfaces import DatasetContext, PoseTask
from dlcore.testing import fake_batch
from dlcore.testing.animals import write_animals

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
    """One config for each section `detector` that a top-down config has."""
    found = {}
    for path in CONFIGS:
        config = yaml.safe_load(path.read_text()) or {}
        if config.get("method") == "td" and config.get("detector"):
            found.setdefault(json.dumps(config["detector"], sort_keys=True), path)
    return list(found.values())


@pytest.mark.parametrize("path", detector_configs(), ids=name_of)
def test_the_detector_of_a_config_is_trained_saved_loaded_evaluated(path, host, pairs, tmp_path):
    loaded = load_config(path, host)
    config = loaded.config
    stage = stages_of(config, "detector")[0]
    context = DatasetContext(metadata={})
    dataset = build(host, "datasets", {"type": "COCOLoader", "root": str(pairs)}, context)
    data = load_run_data(loaded, host, dataset, stage, input_size=None, pin_memory=False)
    model = build_detector(host, config, fresh=False)
    model.model.transform.min_size = (128,)  # torchvision would enlarge the images: only slower
    runner = DetectorTrainingRunner(model, dataset.task, Precision("fp32", "cpu").autocast)
    optimizer = build_optimizer(
        host, stage.runner.optimizer.model_dump(), model.parameters(), stage.key("optimizer")
    )
    scheduler = build_scheduler(
        host, stage.runner.scheduler.model_dump(), optimizer, stage.key("scheduler")
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def step(batches, normalization):
        return to_device(next(batches), torch.device("cpu"), normalization, torch.channels_last)

    batch = step(data.train.epoch(1), data.train_normalization)
    loss = runner.losses(batch)["total_loss"]
    loss.backward()
    optimizer.step()
    scheduler.step()

    assert torch.isfinite(loss)
    assert len(batch.images) == min(stage.settings.batch_size, 4)
    assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
    save_snapshot(tmp_path / "s.pt", {"model": model.state_dict(), "metadata": {"epoch": 1}})
    load_weights(model, load_snapshot(tmp_path / "s.pt")["model"], tmp_path / "s.pt")
    batch = step(data.evaluation.epoch(0), data.eval_normalization)
    metrics = runner.evaluate([batch], data.eval_records)
    assert metrics[f"metrics/{stage.runner.key_metric}"] >= 0


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A folder of images with two animals each."""
    folder = tmp_path_factory.mktemp("pairs")
    write_animals(folder, num_train=4, num_test=1, size=96, num_animals=2)
    return folder


def test_what_is_refused_is_refused_with_its_place(host, shared):
    for stem, says in REFUSED.items():
        path = shared / "peer" / "configs" / "multi" / f"{stem}.yaml"
        config = load_config(path, host).config
        task = PoseTask(tuple(config.metadata.bodyparts))
        with pytest.raises(ConfigError, match=says):
            build_transform(
                host, "gen_sampling", config.data.gen_sampling or True, task, "data.gen_sampling"
            )
