"""What users get wrong: a clear error, exit code 1, no traceback, and nothing lost."""

import copy
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dlcore.cli.main import main
from dlcore.testing.animals import write_animals
from tests.integration.conftest import HEAD


@pytest.fixture
def own_animals(tmp_path, animals):
    """A copy of the images that a test may spoil."""
    folder = tmp_path / "animals"
    shutil.copytree(animals, folder)
    return folder


@pytest.fixture
def train(config_file, own_animals, tmp_path, capsys):
    """Runs `dlcore train` and gives exit code and stderr."""

    def run(*more, config=None, **changes):
        path = config or config_file(**{"dataset.root": str(own_animals), **changes})
        code = main(["train", str(path), "--output", str(tmp_path / "run"), *more])
        stderr = capsys.readouterr().err
        assert "Traceback" not in stderr
        return code, stderr

    return run


def change_labels(folder, split, change):
    path = folder / f"{split}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


FIRST = "images/train0000.png"


def test_a_missing_image_is_named(train, own_animals):
    (own_animals / FIRST).unlink()

    code, stderr = train()

    assert code == 1
    assert "train0000.png" in stderr


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.7])
def test_a_truncated_image_is_named(train, own_animals, keep):
    whole = (own_animals / FIRST).read_bytes()
    (own_animals / FIRST).write_bytes(whole[: int(len(whole) * keep)])

    code, stderr = train()

    assert code == 1
    assert "train0000.png" in stderr


def test_a_truncated_test_image_is_named_before_the_first_epoch_ends(train, own_animals):
    whole = (own_animals / "images/test0001.png").read_bytes()
    (own_animals / "images/test0001.png").write_bytes(whole[: len(whole) // 2])

    code, stderr = train()

    assert code == 1
    assert "test0001.png" in stderr


UNUSUAL = {
    "grey": lambda image: image[..., 0],
    "16 bit": lambda image: image[..., 0].astype(np.uint16) * 257,
    "with transparency": lambda image: np.dstack([image, image[..., :1]]),
}


@pytest.mark.parametrize("convert", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_images_of_other_kinds_are_fine(train, own_animals, convert):
    path = str(own_animals / FIRST)
    cv2.imwrite(path, convert(cv2.imread(path)))

    assert train()[0] == 0


def test_a_palette_image_is_fine(train, own_animals):
    from PIL import Image

    Image.open(own_animals / FIRST).convert("P").save(own_animals / FIRST)

    assert train()[0] == 0


def test_labels_outside_the_image_are_not_trained_on(train, own_animals):
    def move(content):
        content["annotations"][0]["keypoints"][:3] = [-50.0, 1e4, 2]

    change_labels(own_animals, "train", move)

    assert train()[0] == 0


def test_labels_that_are_not_numbers_count_as_missing(train, own_animals):
    def spoil(content):
        content["annotations"][0]["keypoints"][:3] = [float("nan"), float("nan"), 2]

    change_labels(own_animals, "train", spoil)

    assert train()[0] == 0


def test_a_rare_size_is_told_before_the_first_epoch(train, own_animals):
    make_last_image_larger(own_animals)

    code, stderr = train(**{"train_settings.batch_size": 2})

    assert code == 1
    assert "differ in size after the transforms" in stderr
    assert "train0009.png' is 80x72" in stderr
    assert "data.train.collate" in stderr
    assert "epoch" not in stderr


def test_images_of_other_sizes_are_fine_one_by_one(train, own_animals):
    make_last_image_larger(own_animals)

    assert train(**{"train_settings.batch_size": 1, "train_settings.epochs": 1})[0] == 0


def make_last_image_larger(folder):
    path = folder / "images/train0009.png"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (80, 72)))
    change_labels(folder, "train", lambda labels: labels["images"][9].update(width=80, height=72))


def test_no_labels_at_all(train, own_animals):
    change_labels(own_animals, "train", lambda content: content.update(annotations=[]))

    code, stderr = train()

    assert code == 1
    assert "labelled keypoint" in stderr


def test_an_empty_training_split(train, own_animals):
    change_labels(own_animals, "train", lambda content: content.update(images=[], annotations=[]))

    code, stderr = train()

    assert code == 1
    assert "train" in stderr
    assert "empty" in stderr or "no image" in stderr


def test_an_empty_test_split_trains_without_evaluation_and_says_so(train, own_animals, tmp_path):
    change_labels(own_animals, "test", lambda content: content.update(images=[], annotations=[]))

    code, stderr = train()

    assert code == 0
    assert "nothing is evaluated" in stderr
    assert (tmp_path / "run" / "snapshot-002.pt").exists()


def test_splits_of_one_image(train, tmp_path):
    write_animals(tmp_path / "one", num_train=1, num_test=1, size=64)

    assert train(**{"dataset.root": str(tmp_path / "one")})[0] == 0


BROKEN_FILES = {
    "empty": (b"", "empty"),
    "binary": (bytes(range(256)), ""),
    "tabs": (b"model:\n\tbackbone: {}\n", ":2:"),
    "list": (b"- 1\n- 2\n", "map"),
    "duplicate": (b"device: cpu\ndevice: cpu\n", "device"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN_FILES.values(), ids=BROKEN_FILES.keys())
def test_a_file_that_is_no_config(train, tmp_path, content, says):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)

    code, stderr = train(config=path)

    assert code == 1
    assert "broken.yaml" in stderr
    assert says in stderr


def test_all_mistakes_are_told_at_once_with_their_lines(train, tmp_path, config_file):
    path = config_file(
        **{
            "train_settings.batchsize": 4,
            "train_settings.epochs": "many",
            "model.backbone.type": "TimBackbone",
            "model.heads.bodypart.predictor.aply_sigmoid": True,
        }
    )

    code, stderr = train(config=path)

    assert code == 1
    for says in ("did you mean 'batch_size'", "epochs", "TimmBackbone", "apply_sigmoid"):
        assert says in stderr
    lines = [line for line in stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 4
    assert all(f"{path.name}:" in line for line in lines)
    assert not (tmp_path / "run").exists()


def trained(train, tmp_path):
    assert train()[0] == 0
    return tmp_path / "run"


def test_resuming_from_a_truncated_snapshot(train, tmp_path):
    run = trained(train, tmp_path)
    whole = (run / "snapshot-001.pt").read_bytes()
    cut = tmp_path / "snapshot-001.pt"
    cut.write_bytes(whole[: len(whole) // 2])

    code, stderr = train("--set", "train_settings.epochs=3", "--resume", str(cut))

    assert code == 1
    assert "damaged or cut short" in stderr
    assert (run / "snapshot-001.pt").read_bytes() == whole


def test_resuming_from_the_snapshot_of_another_model(train, tmp_path):
    run = trained(train, tmp_path)
    before = {path.name: path.read_bytes() for path in run.glob("*.pt")}

    code, stderr = train(
        "--resume", **{"train_settings.epochs": 3, "model.backbone.model_name": "resnet14t"}
    )

    assert code == 1
    assert "belongs to another model" in stderr
    assert {path.name: path.read_bytes() for path in run.glob("*.pt")} == before


class Code:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_code_in_a_snapshot_is_not_run(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": {}, "x": Code()}, tmp_path / "evil.pt")

    for option in ("--resume", "--init-from"):
        code, stderr = train(option, str(tmp_path / "evil.pt"))
        assert code == 1
        assert "could be code" in stderr
    assert not (tmp_path / "executed").exists()


def test_an_output_folder_that_cannot_be_made(train, tmp_path):
    (tmp_path / "run").touch()

    code, stderr = train()

    assert code == 1
    assert "cannot make the output folder" in stderr


def test_a_full_disk_keeps_what_was_saved(train, tmp_path, monkeypatch):
    run = trained(train, tmp_path)
    before = {path.name: path.read_bytes() for path in run.glob("*.pt")}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    code, stderr = train("--set", "train_settings.epochs=3", "--resume")

    assert code == 1
    assert "No space left on device" in stderr
    assert {path.name: path.read_bytes() for path in run.glob("*.pt")} == before


def test_a_loss_that_is_not_finite_names_step_and_images(train):
    code, stderr = train(**{"runner.optimizer.params.lr": 1e30})

    assert code == 1
    assert "the loss is not finite in epoch" in stderr
    assert "image: " in stderr
    assert "runner.optimizer.params.lr" in stderr


def test_an_unknown_key_metric_is_told_before_the_first_epoch(train, tmp_path):
    code, stderr = train(**{"runner.key_metric": "test.map"})

    assert code == 1
    assert "runner.key_metric" in stderr
    assert "test.mAP" in stderr
    assert not list((tmp_path / "run").glob("*.pt"))


def test_a_head_that_does_not_fit_its_targets_is_told_before_the_first_epoch(train):
    code, stderr = train(
        **{"model.heads.bodypart.heatmap_config.channels": ["backbone_output_channels", 5]}
    )

    assert code == 1
    assert "model.heads.bodypart" in stderr


def test_a_head_for_unique_bodyparts_where_there_are_none_is_refused(train):
    heads = {"bodypart": HEAD, "unique_bodypart": HEAD}

    code, stderr = train(**{"model.heads": copy.deepcopy(heads)})

    assert code == 1
    assert "model.heads.unique_bodypart" in stderr
    assert "metadata.unique_bodyparts" in stderr


def test_a_model_without_a_head_for_poses_is_refused(train):
    code, stderr = train(**{"model.heads": {"snouts": copy.deepcopy(HEAD)}})

    assert code == 1
    assert "there is no head 'bodypart'" in stderr
    assert "'snouts'" in stderr


def test_a_predictor_of_one_pose_for_several_animals_is_warned_of(train, tmp_path):
    write_animals(tmp_path / "pairs", num_train=2, num_test=2, size=96, num_animals=2)

    code, stderr = train(
        **{"dataset.root": str(tmp_path / "pairs"), "train_settings.epochs": 1},
    )

    assert code == 0
    assert "gives one individual per image, but there may be 2" in stderr
    assert "method: td" in stderr


def test_one_animal_needs_no_warning(train):
    assert "one individual per image" not in train(**{"train_settings.epochs": 1})[1]


def test_numbers_of_gpus_do_not_keep_a_run_off_the_cpu(train):
    code, _ = train(
        **{"runner.gpus": [0, 1], "train_settings.epochs": 1},
    )

    assert code == 0


def test_a_config_outside_any_data_says_how_to_name_some(train):
    code, stderr = train(dataset=None)

    assert code == 1
    assert "dataset" in stderr
    assert "COCOLoader" in stderr
