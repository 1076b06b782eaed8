"""A conditional top-down model: trained, then evaluated from rough poses of files and models."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from dlcore.cli.main import main
from dlcore.cli.options import make_host
from dlcore.errors import DlcoreError
from dlcore.inference.images import InputImage
from dlcore.inference.loading import load_estimator
from dlcore.inference.trained_run import TrainedRun
from dlcore.testing.animals import KEYPOINTS, write_animals
from tests.integration.conftest import small_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images with two animals each, a bottom-up run and a conditional one."""
    folder = tmp_path_factory.mktemp("conditional")
    write_animals(folder / "animals", num_train=4, num_test=2, size=64, num_animals=2)
    config = small_config(folder / "animals")
    config["train_settings"]["epochs"] = 1
    (folder / "bottom_up.yaml").write_text(yaml.safe_dump(config))
    config["method"] = "ctd"
    backbone = config["model"]["backbone"]
    config["model"]["backbone"] = {
        "type": "CondPreNet",
        "backbone": backbone,
        "kpt_encoder": {"type": "StackedKeypointEncoder", "num_joints": len(KEYPOINTS)},
        "img_size": [64, 64],
        "freeze_bn_stats": False,
        "freeze_bn_weights": False,
    }
    for part in ("train", "inference"):
        config["data"][part]["top_down_crop"] = {"width": 64, "height": 64}
    (folder / "conditional.yaml").write_text(yaml.safe_dump(config))
    for name in ("bottom_up", "conditional"):
        assert main(["train", str(folder / f"{name}.yaml"), "--output", str(folder / name)]) == 0
    return folder


@pytest.fixture(scope="module")
def truth(folder):
    """A file with the true poses of the test images."""
    content = json.loads((folder / "animals" / "test.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    poses = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        keypoints = np.array(annotation["keypoints"], float).reshape(-1, 3)
        keypoints[:, 2] = keypoints[:, 2] > 0
        poses[names[annotation["image_id"]]].append(keypoints.tolist())
    path = folder / "truth.json"
    path.write_text(json.dumps(poses))
    return path


def evaluate(folder, capsys, *more):
    capsys.readouterr()
    code = main(["evaluate", str(folder / "conditional"), "--json", *more])
    printed = capsys.readouterr()
    return code, (json.loads(printed.out)["metrics"] if code == 0 else printed.err)


def test_it_is_evaluated_from_a_file_of_rough_poses(folder, truth, capsys):
    code, metrics = evaluate(folder, capsys, "--conditions", str(truth))

    assert code == 0
    assert np.isfinite(metrics["rmse"])


def test_it_is_evaluated_from_the_poses_of_another_run(folder, capsys):
    code, metrics = evaluate(folder, capsys, "--conditions", str(folder / "bottom_up"))

    assert code == 0
    # that model finds one of two animals
    assert metrics["images_with_all_found"] == 0


@pytest.mark.parametrize("form", ["path", "filepath", "config_path"])
def test_the_config_may_say_where_they_come_from(folder, truth, capsys, form):
    value = {
        "path": str(truth),
        "filepath": f"{{source: file, filepath: {truth}}}",
        "config_path": f"{{config_path: {folder / 'bottom_up' / 'resolved_config.yaml'}}}",
    }[form]

    code, metrics = evaluate(folder, capsys, "--set", f"inference.conditions={value}")

    assert code == 0, metrics


def test_without_rough_poses_the_user_is_told_how_to_name_them(folder, capsys):
    code, error = evaluate(folder, capsys)

    assert code == 1
    assert "--conditions" in error
    assert "inference.conditions" in error


def test_an_image_that_the_file_does_not_know_is_named(folder, truth, capsys, tmp_path):
    known = json.loads(truth.read_text())
    missing = next(iter(known))
    del known[missing]
    (tmp_path / "some.json").write_text(json.dumps(known))

    code, error = evaluate(folder, capsys, "--conditions", str(tmp_path / "some.json"))

    assert code == 1
    assert missing in error
    assert "some.json" in error


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"shuffle": 1}, "lies in no project"),
        ({"snapshot": "last"}, "must be the path of a file"),
        ({"config_path": "nowhere"}, "there is no run"),
    ],
)
def test_wrong_conditions_are_refused_in_words(folder, conditions, words):
    run = TrainedRun.open(folder / "conditional", make_host(()))

    with pytest.raises(DlcoreError, match=words):
        load_estimator(run, conditions=conditions)


def test_rough_poses_may_come_with_each_image_and_none_are_invented(folder):
    run = TrainedRun.open(folder / "conditional", make_host(()))
    estimator = load_estimator(run)
    rough = np.zeros((3, len(KEYPOINTS), 3), np.float32)
    rough[0] = [20, 20, 0.9]
    rough[1, 0] = [30, 40, 0.01]  # too unsure
    image = np.zeros((64, 64, 3), np.uint8)

    some, none = estimator.predict(
        [InputImage(image, conditions=rough), InputImage(image, conditions=rough[2:])]
    )

    assert len(some.poses) == len(some.boxes) == 1
    assert len(np.unique(some.poses[0, :, 2])) == 1  # all keypoints share one score
    assert none.poses.shape == (0, len(KEYPOINTS), 3)


def test_a_model_of_other_keypoints_is_refused(folder, tmp_path):
    write_animals(tmp_path / "animals", num_train=4, num_test=2, size=64)
    path = tmp_path / "animals" / "train.json"
    for path in (tmp_path / "animals").glob("*.json"):
        path.write_text(path.read_text().replace(f'"{KEYPOINTS[0]}"', '"other"'))
    config = small_config(tmp_path / "animals")
    config["train_settings"]["epochs"] = 1
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config))
    assert main(["train", str(tmp_path / "c.yaml"), "--output", str(tmp_path / "run")]) == 0
    run = TrainedRun.open(folder / "conditional", make_host(()))

    with pytest.raises(DlcoreError, match="a model of the same bodyparts"):
        load_estimator(run, conditions={"config_path": str(tmp_path / "run")})
