"""What `dlcore export` writes, checks and refuses; what predicting with it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dlcore.cli.main import main
from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.errors import ConfigError, ExportError, SnapshotError
from dlcore.inference.export.job import ExportOptions, export_run
from dlcore.inference.export.network import Output
from dlcore.inference.export.parity import compare
from dlcore.inference.images import InputImage
from dlcore.inference.loading import load_estimator
from dlcore.inference.trained_model import TrainedModel
from dlcore.inference.trained_run import TrainedRun
from dlcore.plugin_host import PluginHost
from dlcore.testing.animals import write_animals
from tests.core.inference import export_fakes
from tests.integration.conftest import small_config

MEMORY = {"type": "memory"}


@pytest.fixture(scope="module")
def fake_host():
    host = PluginHost.from_entry_points()
    host.add_file(Path(export_fakes.__file__))
    return host


@pytest.fixture(scope="module")
def folder(tmp_path_factory, fake_host):
    """A run on drawn animals, with two snapshots of a network as it was made."""
    folder = tmp_path_factory.mktemp("first")
    write_animals(folder / "data", num_train=2, num_test=3, size=64)
    path = folder / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(small_config(folder / "data")))
    run = TrainedRun.open(folder, fake_host)
    for epoch in (3, 4):
        torch.manual_seed(epoch)
        model = build_model(fake_host, load_config(path, fake_host).config, run.task, fresh=True)
        content = {"metadata": {"epoch": epoch}, "model": model.state_dict()}
        torch.save(content, folder / f"snapshot-{epoch:03}.pt")
    return folder


@pytest.fixture(scope="module")
def run(folder, fake_host):
    return TrainedRun.open(folder, fake_host)


@pytest.fixture(scope="module")
def exported(run):
    return export_run(run, ExportOptions(MEMORY, snapshot="3"))


@pytest.fixture(scope="module")
def images():
    return list(np.random.default_rng(0).integers(0, 255, (3, 70, 90, 3), dtype=np.uint8))


def test_random_and_real_images_are_compared_in_several_batch_sizes(exported):
    counts = {
        kind: {parity.count for parity in exported.parities if parity.images == kind}
        for kind in ("random", "real")
    }

    assert counts == {"random": {1, 2, 3}, "real": {1, 3}}
    assert len({parity.size for parity in exported.parities if parity.images == "random"}) == 3
    assert all(parity.within(1e-3) for parity in exported.parities)


def test_the_file_lies_in_the_run_with_a_description_beside_it(exported, run, folder):
    assert exported.path == folder / "snapshot-003.memory"
    told = json.loads((folder / "snapshot-003.memory.json").read_text())

    assert told["keypoints"] == list(run.task.keypoints)
    assert told["inputs"] == [
        {
            "name": "images",
            "shape": ["batch", 3, "height", "width"],
            "dtype": "uint8",
            "layout": "NCHW",
            "colors": "RGB",
        }
    ]
    assert (told["size"], told["size_multiple"]) == (None, 1)
    assert told["normalization"]["included"]
    assert told["decoding_included"] == {"bodypart": True}
    assert [output["name"] for output in told["outputs"]] == ["bodypart.poses"]
    assert told["snapshot"] == "snapshot-003.pt"
    assert {"dlcore", "python"} <= set(told["versions"])
    assert len(told["parity"]) == len(exported.parities)


def test_an_exported_network_predicts_what_torch_does(exported, run, images):
    torch_model = TrainedModel(run, snapshot="3")
    model = TrainedModel(run, snapshot="3", backend="memory")

    for one, other in zip(torch_model.predict(images), model.predict(images), strict=True):
        np.testing.assert_allclose(one.poses, other.poses, atol=1e-3)


def test_a_file_that_exists_is_kept(exported, run):
    before = exported.path.read_bytes()

    assert export_run(run, ExportOptions({"type": "memory", "shift": 9.0}, snapshot="3")).kept
    assert exported.path.read_bytes() == before


def test_a_network_that_differs_is_refused_and_no_file_is_left(run, tmp_path):
    output = tmp_path / "new" / "wrong.memory"
    options = ExportOptions({"type": "memory", "shift": 0.1}, output)

    with pytest.raises(ExportError, match=r"something else than torch.*places 0\.14 px"):
        export_run(run, options)

    assert list(output.parent.iterdir()) == []


def test_a_predictor_that_cannot_be_exported_stays_in_dlcore(run, images, tmp_path, caplog):
    output = tmp_path / "maps.memory"
    block = {"type": "memory", "only_maps": True}

    report = export_run(run, ExportOptions(block, output, snapshot="3"))

    assert "poses are too hard; trying to export the outputs of the heads alone" in caplog.text
    assert report.description["decoding_included"] == {"bodypart": False}
    names = [output["name"] for output in report.description["outputs"]]
    assert names == ["bodypart.heatmap", "bodypart.locref"]
    model = TrainedModel(run, snapshot="3", backend="memory", exported=output)
    for one, other in zip(
        TrainedModel(run, snapshot="3").predict(images), model.predict(images), strict=True
    ):
        np.testing.assert_allclose(one.poses, other.poses, atol=1e-3)


def test_one_size_may_be_chosen_and_others_are_refused_then(run, images, tmp_path):
    output = tmp_path / "one-size.memory"

    report = export_run(run, ExportOptions(MEMORY, output, snapshot="3", size=(90, 70)))

    assert report.description["size"] == [90, 70]
    assert report.description["inputs"][0]["shape"] == ["batch", 3, 70, 90]
    model = TrainedModel(run, snapshot="3", backend="memory", exported=output)
    assert len(model.predict(images)) == 3
    with pytest.raises(ExportError, match="takes images of 90x70, not of 60x60"):
        model.predict([images[0][:60, :60]])


@pytest.mark.parametrize(
    ("axis", "message"), [(0, "2 images at once"), (3, "images of 320xany only")]
)
def test_an_axis_that_became_a_constant_is_told(run, tmp_path, axis, message):
    with pytest.raises(ExportError, match=message):
        export_run(run, ExportOptions({"type": "memory", "fixed": axis}, tmp_path / "a.memory"))

    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_snapshot_is_refused(exported, run):
    with pytest.raises(ExportError, match=r"exported from another snapshot than .*snapshot-004"):
        TrainedModel(run, snapshot="4", backend="memory", exported=exported.path)


def test_a_file_of_other_settings_is_refused(exported, folder, fake_host):
    overrides = ("model.heads.bodypart.predictor.clip_scores=false",)
    run = TrainedRun.open(folder, fake_host, overrides)

    with pytest.raises(ExportError, match="with other settings of the model"):
        TrainedModel(run, snapshot="3", backend="memory")


def test_settings_that_the_network_has_no_part_of_may_change(exported, folder, fake_host):
    overrides = ("model.heads.bodypart.target_generator.pos_dist_thresh=9", "device=cpu")
    run = TrainedRun.open(folder, fake_host, overrides)

    assert TrainedModel(run, snapshot="3", backend="memory").backend == "memory"


def test_what_is_missing_is_told_with_the_command_that_makes_it(run, tmp_path):
    with pytest.raises(ExportError, match=r"dlcore export .* --format memory --snapshot snapshot-"):
        TrainedModel(run, snapshot="4", backend="memory")
    with pytest.raises(ExportError, match="no plugin offers an inference backend named 'memori'"):
        TrainedModel(run, backend="memori")
    with pytest.raises(ConfigError, match="speed"):
        TrainedModel(run, snapshot="3", backend={"type": "memory", "speed": 3})
    with pytest.raises(SnapshotError, match="'9'"):
        export_run(run, ExportOptions(MEMORY, snapshot="9"))


def test_exported_networks_have_one_arithmetic(exported, run):
    with pytest.raises(ExportError, match="compute in fp32, not in bf16"):
        TrainedModel(run, snapshot="3", backend="memory", precision="bf16")


def test_a_file_without_description_is_refused(exported, run, tmp_path):
    content = json.loads(exported.path.read_text())
    other = tmp_path / "stranger.memory"
    other.write_text(json.dumps({**content, "metadata": ""}))

    with pytest.raises(ExportError, match=r"stranger\.memory' was not written by dlcore export"):
        TrainedModel(run, snapshot="3", backend="memory", exported=other)


def test_only_rare_moves_between_equal_places_are_forgiven():
    poses = Output("bodypart", "poses", True)
    expected = torch.zeros(2, 1, 100, 3)
    moved = expected.clone()
    moved[0, 0, :2, :2] = 5.0

    few = compare("random", (8, 8), {poses: expected}, {poses.name: moved}, 0.01)
    moved[0, 0, :9, :2] = 5.0
    many = compare("random", (8, 8), {poses: expected}, {poses.name: moved}, 0.01)
    moved[:] = 0.0
    moved[0, 0, 0] = torch.tensor((5.0, 5.0, 0.5))
    other_score = compare("random", (8, 8), {poses: expected}, {poses.name: moved}, 0.01)
    moved[:] = torch.nan
    missing = compare("random", (8, 8), {poses: expected}, {poses.name: moved}, 0.01)

    assert few.within(0.01)
    assert few.moved == 2
    assert not many.within(0.01)
    assert not other_score.within(0.01)
    assert not missing.within(0.01)
    assert json.dumps(missing.to_json(), allow_nan=False)


def test_places_far_outside_the_image_may_differ_by_as_much_as_floats_do():
    poses = Output("bodypart", "poses", True)
    near, far = (torch.full((1, 1, 4, 3), value) for value in (100.0, 1e7))

    def parity(expected, difference):
        return compare(
            "random", (100, 80), {poses: expected}, {poses.name: expected + difference}, 0.01
        )

    assert not parity(near, torch.tensor((0.02, 0.0, 0.0))).within(0.01)
    assert parity(far, torch.tensor((2.0, 0.0, 0.0))).within(0.01)
    assert not parity(far, torch.tensor((2e4, 0.0, 0.0))).within(0.01)


def test_the_commands_export_and_predict_go_together(folder, tmp_path, capsys):
    """With torch.export, the quicker of the two that come with dlcore."""
    image = next((folder / "data").rglob("*.png"))
    export = ["export", str(folder), "--format", "torch_export", "--snapshot", "4"]
    predict = ["predict", str(folder), str(image), "--format", "coco", "--snapshot", "4"]

    assert main([*export, "--images", str(image)]) == 0
    told = capsys.readouterr()
    assert f"written: {folder / 'snapshot-004.pt2'}" in told.out
    assert "compared with torch: 1 real" in told.err + told.out
    assert main(export) == 0
    assert "exists already; --overwrite replaces it" in capsys.readouterr().err
    found = []
    for backend in ("torch", "torch_export"):
        output = tmp_path / backend
        assert main([*predict, "--backend", backend, "--output", str(output)]) == 0
        (file,) = output.glob("*.json")
        found.append(np.array([one["keypoints"] for one in json.loads(file.read_text())]))
    np.testing.assert_allclose(found[0], found[1], atol=1e-2)


def crops_run(folder, host, **model):
    """A run on crops of two animals, with a network as it was made."""
    write_animals(folder / "data", num_train=1, num_test=2, size=96, num_animals=2)
    config = small_config(folder / "data")
    config["method"] = "ctd" if model else "td"
    for section in ("train", "inference"):
        config["data"][section]["top_down_crop"] = {"width": 64, "height": 48}
    config["model"]["backbone"] = model or config["model"]["backbone"]
    path = folder / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(config))
    run = TrainedRun.open(folder, host)
    network = build_model(host, run.loaded.config, run.task, fresh=True)
    content = {"metadata": {"epoch": 1}, "model": network.state_dict()}
    torch.save(content, folder / "snapshot-001.pt")
    return run


def test_a_top_down_network_takes_crops_of_one_size(tmp_path, fake_host):
    run = crops_run(tmp_path, fake_host)

    report = export_run(run, ExportOptions(MEMORY))

    told = report.description
    assert told["inputs"][0]["shape"] == ["batch", 3, 48, 64]
    assert told["size"] == [64, 48]
    assert told["preparation"]["crop"] == {
        "width": 64,
        "height": 48,
        "margin": 0,
        "with_context": True,
    }
    assert told["detector_included"] is False
    assert {parity.count for parity in report.parities if parity.images == "real"} == {1, 4}
    box = np.array([[10.0, 10.0, 40.0, 40.0]])
    pixels = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    image = InputImage(pixels, boxes=box)
    found = [
        load_estimator(run, with_detector=False, backend=backend).predict([image])[0]
        for backend in ("torch", "memory")
    ]
    np.testing.assert_allclose(found[0].poses, found[1].poses, atol=1e-3)
    with pytest.raises(ExportError, match="takes crops, which are 64x48"):
        export_run(run, ExportOptions(MEMORY, size=(64, 64), overwrite=True))


def test_a_conditional_network_takes_rough_poses_too(tmp_path, fake_host):
    inner = small_config(tmp_path)["model"]["backbone"]
    encoder = {"type": "StackedKeypointEncoder", "num_joints": "num_bodyparts"}
    run = crops_run(tmp_path, fake_host, type="CondPreNet", backbone=inner, kpt_encoder=encoder)

    report = export_run(run, ExportOptions(MEMORY))

    first, second = report.description["inputs"]
    assert (first["name"], second["name"]) == ("images", "conditions")
    assert second["shape"] == ["batch", len(run.task.keypoints), 3]
    assert {parity.images for parity in report.parities} == {"random", "real"}
    rough = np.full((1, len(run.task.keypoints), 3), 30.0)
    rough[..., 1] += np.arange(len(run.task.keypoints))
    pixels = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    image = InputImage(pixels, conditions=rough)
    found = [load_estimator(run, backend=b).predict([image])[0] for b in ("torch", "memory")]
    np.testing.assert_allclose(found[0].poses, found[1].poses, atol=1e-3)
