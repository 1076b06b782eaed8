"""What a project's config.yaml says, and which shuffle a config belongs to."""

from pathlib import Path

import pytest

from dlcore import DataError
from dlcore_plugins.deeplabcut.project import Project, ShufflePlace, is_project, percent_of
from tests.plugins.deeplabcut.projects import multi_config, write_config


def test_a_single_animal_project(tmp_path):
    write_config(tmp_path, iteration=2)

    project = Project.read(tmp_path)

    assert project == Project.read(tmp_path / "config.yaml")
    assert (project.task, project.scorer, project.date) == ("mice", "me", "Jan1")
    assert project.bodyparts == ("snout", "leftear", "rightear")
    assert project.individuals == ("individual_1",)
    assert project.fractions == (0.5, 0.29)
    assert project.iteration == 2
    assert not project.multi_animal
    assert not project.identity


def test_a_multi_animal_project(tmp_path):
    write_config(tmp_path, **multi_config(["m1", "m2"], ["lamp"]), identity=True)

    project = Project.read(tmp_path)

    assert project.multi_animal
    assert project.identity
    assert project.individuals == ("m1", "m2")
    assert project.bodyparts == ("snout", "leftear", "rightear")
    assert project.unique_bodyparts == ("lamp",)


def test_the_folder_is_where_the_file_lies_not_what_it_says(tmp_path):
    write_config(tmp_path / "moved", project_path="/somewhere/else")

    assert Project.read(tmp_path / "moved").folder == tmp_path / "moved"


def test_names_that_look_like_numbers_or_booleans_stay_names(tmp_path):
    text = "Task: 007\nscorer: no\ndate: Jan1\nbodyparts: [1, on, 1e3, 0x1F]\niteration:\n"
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")

    project = Project.read(tmp_path)

    assert (project.task, project.scorer) == ("007", "no")
    assert project.bodyparts == ("1", "on", "1e3", "0x1F")
    assert project.iteration == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Task: [a\n", r"config\.yaml:2: not valid YAML"),
        ("\tTask: a\n", r"config\.yaml:1: not valid YAML"),
        ("", "is not a mapping"),
        ("- a\n", "is not a mapping"),
        ("model: {}\n", "is not the config of a DeepLabCut project: it lacks Task, scorer, date"),
        ("Task: a\nscorer: b\ndate: c\n", "names no bodyparts"),
        ("Task: a\nscorer: b\ndate: c\nbodyparts: nose\n", "bodyparts must be a list of names"),
        ("Task: a\nscorer: b\ndate: c\nbodyparts: [n, n]\n", "bodyparts names 'n' twice"),
        ("Task: a\nscorer: b\ndate: c\nbodyparts: [n]\niteration: x\n", "iteration must be"),
        (
            "Task: a\nscorer: b\ndate: c\nbodyparts: [n]\nTrainingFraction: [x]\n",
            "TrainingFraction",
        ),
        ("\0", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
    ],
)
def test_a_damaged_config_is_named(text, message, tmp_path):
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=message):
        Project.read(tmp_path)


def test_binary_and_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no DeepLabCut project at"):
        Project.read(tmp_path)
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(DataError, match="is not a text file in UTF-8"):
        Project.read(tmp_path)


def test_other_folders_and_files_are_no_projects(tmp_path):
    (tmp_path / "config.yaml").write_text("model: {}\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("Task: a\nscorer: b\n", encoding="utf-8")

    assert not is_project(tmp_path)
    assert not is_project(tmp_path / "notes.txt")
    assert not is_project(tmp_path / "nothing")
    (tmp_path / "damaged.yaml").write_text("Task: [a", encoding="utf-8")
    assert not is_project(tmp_path / "damaged.yaml")
    write_config(tmp_path)
    assert is_project(tmp_path)
    assert is_project(tmp_path / "config.yaml")


@pytest.mark.parametrize("prefix", ["", "trial", "a/b"])
def test_a_config_knows_its_shuffle_by_its_place(prefix, tmp_path):
    write_config(tmp_path)
    place = Project.read(tmp_path).config_path(prefix, 3, 95, 12)

    assert place.relative_to(tmp_path / prefix).parts == (
        "dlc-models-pytorch",
        "iteration-3",
        "miceJan1-trainset95shuffle12",
        "train",
        "pytorch_config.yaml",
    )
    assert ShufflePlace.of(place) == ShufflePlace(tmp_path, prefix, 3, 95, 12)


def test_a_relative_path_is_as_good(tmp_path, monkeypatch):
    write_config(tmp_path)
    train = Project.read(tmp_path).config_path("", 0, 95, 1).parent
    train.mkdir(parents=True)
    monkeypatch.chdir(train)

    assert ShufflePlace.of(Path("pytorch_config.yaml")) == ShufflePlace(tmp_path, "", 0, 95, 1)


def test_a_link_to_a_config_leads_to_its_project(tmp_path):
    write_config(tmp_path / "project")
    place = Project.read(tmp_path / "project").config_path("", 0, 95, 1)
    place.parent.mkdir(parents=True)
    place.write_text("", encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to(place)

    found = ShufflePlace.of(tmp_path / "link.yaml")

    assert found is not None
    assert found.project == (tmp_path / "project").resolve()


@pytest.mark.parametrize(
    "path",
    [
        "/p/runs/pytorch_config.yaml",
        "/p/dlc-models/iteration-0/aJan1-trainset95shuffle1/train/pytorch_config.yaml",
        "/p/dlc-models-pytorch/iteration-x/aJan1-trainset95shuffle1/train/pytorch_config.yaml",
        "/p/dlc-models-pytorch/iteration-0/aJan1-shuffle1/train/pytorch_config.yaml",
        "/p/dlc-models-pytorch/iteration-0/aJan1-trainset95shuffle1/test/pose_cfg.yaml",
        "/pytorch_config.yaml",
    ],
)
def test_other_places_belong_to_no_shuffle(path):
    assert ShufflePlace.of(Path(path)) is None


def test_percent_is_truncated_as_in_file_names():
    assert [percent_of(f) for f in (0.95, 0.8, 0.29, 0.5, 1.0)] == [95, 80, 28, 50, 100]
