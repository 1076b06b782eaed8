"""`dlcore preview` writes a picture."""

from __future__ import annotations

import cv2
import pytest
import yaml

from dlcore.cli.main import main
from dlcore.engine.pictures import SMALLEST_SIDE
from dlcore.testing.animals import write_animals
from tests.integration.conftest import small_config


@pytest.fixture
def config(tmp_path):
    """A config with four small images."""
    write_animals(tmp_path / "animals", num_train=4, num_test=1, size=48)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(small_config(tmp_path / "animals")))
    return path


def test_a_picture_is_written_and_named(config, tmp_path, capsys):
    output = tmp_path / "pictures" / "training.png"

    assert main(["preview", str(config), "--count", "4", "--output", str(output)]) == 0

    assert capsys.readouterr().out == f"{output}\n"
    picture = cv2.imread(str(output))
    assert picture.shape[0] > 2 * SMALLEST_SIDE
    assert picture.std() > 10


def test_another_epoch_has_other_draws(config, tmp_path):
    for name, epoch in (("one", "1"), ("other", "2")):
        main(["preview", str(config), "--epoch", epoch, "--output", str(tmp_path / f"{name}.png")])

    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (["--output", "a.gif"], 2, "must end in one of .png"),
        (["--stage", "detector"], 1, "detector: there is none; leave --stage out"),
        (["--count", "0"], 2, "--count"),
        (["--set", "data.train.afine=1"], 1, "did you mean 'affine'?"),
    ],
)
def test_what_is_wrong_is_told(config, capsys, more, code, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert main(["preview", str(config), *more]) == code

    assert says in capsys.readouterr().err
    assert not list(tmp_path.glob("*.png"))
