"""`dlcore demo`: the main job, whole."""

import json

import pytest

from dlcore.cli.main import main
from dlcore.engine.snapshots import list_snapshots


@pytest.mark.slow
def test_the_demo_learns_and_leaves_what_it_promises(tmp_path, capsys):
    folder = tmp_path / "demo"

    assert main(["demo", "--output", str(folder), "--device", "cpu"]) == 0

    result = json.loads((folder / "demo.json").read_text())
    assert result["error_percent_of_length"] < 4
    assert result["error_px"] < result["mean_pose_error_px"] / 5
    for name in ("predictions.png", "learning_curves.png", "report.html", "train.txt"):
        assert (folder / name).stat().st_size > 0
    assert (folder / "animals" / "train.json").is_file()
    assert list_snapshots(folder)
    said = capsys.readouterr().out
    assert f"{result['error_px']:.2f} pixels" in said
    assert "predictions.png" in said


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")

    for more in ([], ["--overwrite"]):
        assert main(["demo", "--output", str(tmp_path), *more]) == 1
        assert "choose another folder with --output" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "precious"
