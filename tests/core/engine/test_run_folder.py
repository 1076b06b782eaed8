"""The run's folder: written whole or not at all, and refused early."""

import json
import logging
import os

import pytest
import yaml

from dlcore.engine.run_folder import RunFolder, write_atomically
from dlcore.errors import TrainingError


def test_makes_the_folder_and_leaves_no_rubbish(tmp_path):
    folder = RunFolder(tmp_path / "a" / "b")

    assert folder.path.is_dir()
    assert list(folder.path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").touch()

    with pytest.raises(TrainingError, match=r"cannot make the output folder.*--output"):
        RunFolder(tmp_path / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path):
    tmp_path.chmod(0o500)

    with pytest.raises(TrainingError, match="Permission denied"):
        RunFolder(tmp_path)


def test_a_writer_that_fails_half_way_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")

    def write(file):
        file.write(b"new, but")
        raise OSError(28, "No space left on device")

    with pytest.raises(TrainingError, match="free some space"):
        write_atomically(path, write)

    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_file_has_the_rights_that_others_have(tmp_path):
    write_atomically(tmp_path / "x", lambda file: None)
    (tmp_path / "y").touch()

    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_yaml_and_json_are_read_back(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_yaml("a.yaml", {"b": [1, None]}, "a comment")
    folder.write_json("a.json", {"b": [1, None]})

    assert yaml.safe_load((tmp_path / "a.yaml").read_text()) == {"b": [1, None]}
    assert (tmp_path / "a.yaml").read_text().startswith("# a comment\n")
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, None]}


def test_the_log_is_appended_with_the_time(tmp_path):
    logger = logging.getLogger("dlcore")
    logger.setLevel(logging.INFO)
    for _ in range(2):
        with RunFolder(tmp_path).log_to_file():
            logger.info("hello")
    logger.info("not in the file")

    lines = (tmp_path / "train.txt").read_text().splitlines()
    assert len(lines) == 2
    assert all(line[:2] == "20" and line.endswith(" hello") for line in lines)
