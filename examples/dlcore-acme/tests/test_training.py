"""The package as its users meet it: installed, listed, and trained with from the command line."""

import csv
import subprocess
import sys
from pathlib import Path

from dlcore.testing import write_dataset

RUN = Path(__file__).parents[1] / "run.yaml"


def dlcore(*arguments):
    command = [sys.executable, "-m", "dlcore", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_components_are_listed():
    listed = dlcore("list", "backbones", "heads")

    assert listed.returncode == 0, listed.stderr
    for name in ("AcmeTiny", "AcmeSoftArgmaxHead"):
        assert name in listed.stdout


def test_one_epoch(tmp_path):
    data = write_dataset(tmp_path / "data", train=8, test=2)

    trained = dlcore(
        "train", RUN, "--output", tmp_path / "run", "--device", "cpu",
        "--set", f"dataset.root={data}", "--set", "train_settings.epochs=1",
    )  # fmt: skip

    assert trained.returncode == 0, trained.stderr
    assert list((tmp_path / "run").glob("snapshot-*.pt"))
    with (tmp_path / "run" / "learning_stats.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1"]
