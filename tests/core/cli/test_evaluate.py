"""`dlcore evaluate`, from the command line to files, with networks that have never been trained."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import torch
import yaml

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.interfaces import PoseTask
from dlcore.testing.animals import KEYPOINTS, write_animals
from tests.integration.conftest import small_config
from tests.plugins.deeplabcut.projects import BODYPARTS, write_project


def save_run(folder, config, task, host):
    """A run whose network is as it was made; gives its config."""
    path = folder / "pytorch_config.yaml"
    path.write_text(yaml.safe_dump(config))
    torch.manual_seed(0)
    model = build_model(host, load_config(path, host).config, task, fresh=True)
    content = {"metadata": {"epoch": 3}, "model": model.state_dict()}
    torch.save(content, folder / "snapshot-best-003.pt")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory, host):
    folder = tmp_path_factory.mktemp("first")
    write_animals(folder / "animals", num_train=3, num_test=2, size=64)
    task = PoseTask(tuple(KEYPOINTS))
    save_run(folder, small_config(folder / "animals"), task, host)
    return folder


@pytest.fixture(scope="module")
def shuffle(tmp_path_factory, host):
    """A run in its place in a DeepLabCut project."""
    project = tmp_path_factory.mktemp("mice-me")
    path = write_project(project)
    config = small_config(project)
    del config["dataset"]
    config["net_type"] = "resnet_50"
    config["metadata"] = {"bodyparts": list(BODYPARTS), "individuals": ["individual_1"]}
    return save_run(path.parent, config, PoseTask(BODYPARTS), host)


def test_help_shows_examples_without_torch(dlcore_process):
    shown = dlcore_process("evaluate", "--help")

    assert shown.code == 0
    assert "dlcore evaluate runs/first --pcutoff '{snout: 0.8, tail: 0.3}'" in shown.out
    assert "torch" not in shown.modules


def test_numbers_go_to_the_terminal_and_into_files(dlcore, run):
    done = dlcore("evaluate", run, "--pictures", 1)

    assert done.code == 0, done.err
    assert "snapshot-best-003.pt on 2 test images" in done.out
    assert "PCK@0.05" in done.out
    content = json.loads((run / "evaluation_test.json").read_text())
    assert [one["name"] for one in content["keypoints"]] == list(KEYPOINTS)
    assert (content["split"], content["images"], content["pcutoff"]) == ("test", 2, 0.6)
    assert (run / "evaluation_test.csv").read_text().startswith("keypoint,unique,labelled")
    (picture,) = content["pictures"]
    assert picture["kind"] == "worst"
    assert (run / picture["file"]).is_file()
    assert f"written: {run / 'evaluation_test'} (1 pictures)" in done.out


def test_all_splits_have_files_of_their_own(dlcore, run, tmp_path):
    output = tmp_path / "numbers.json"

    done = dlcore("evaluate", run, "--split", "all", "--pictures", 0, "--json", "--output", output)

    assert done.code == 0, done.err
    shown = json.loads(done.out)
    assert {name: one["images"] for name, one in shown.items()} == {"train": 3, "test": 2}
    assert {path.name for path in tmp_path.iterdir()} == {
        *("numbers_train.json", "numbers_train.csv", "numbers_test.json", "numbers_test.csv")
    }
    assert json.loads((tmp_path / "numbers_test.json").read_text()) == shown["test"]


def test_a_cutoff_may_be_a_map(dlcore, run):
    cutoffs = f"{{{KEYPOINTS[0]}: 0, {KEYPOINTS[1]}: 0.99}}"

    done = dlcore("evaluate", run, "--pictures", 0, "--json", "--pcutoff", cutoffs)

    assert done.code == 0, done.err
    content = json.loads(done.out)
    assert content["pcutoff"] == [0, 0.99, *[0.6] * (len(KEYPOINTS) - 2)]
    first, second = content["keypoints"][:2]
    assert first["rmse_pcutoff"] == pytest.approx(first["rmse"])
    assert first["coverage"] == 100
    assert second["coverage"] == 0


def test_an_evaluation_of_a_project_lies_where_deeplabcut_looks_for_it(dlcore, shuffle):
    done = dlcore("evaluate", shuffle, "--split", "all", "--pictures", 0)

    assert done.code == 0, done.err
    project = shuffle.parents[4]
    results = project / "evaluation-results-pytorch" / "iteration-0"
    assert f"written: {results / 'CombinedEvaluation-results.csv'}" in done.out
    folder = results / "miceJan1-trainset50shuffle1"
    stem = "DLC_Resnet50_miceJan1shuffle1_snapshot_best-3"
    assert {path.name for path in folder.iterdir()} == {
        *(f"{stem}.h5", f"{stem}-results.csv", f"{stem}-keypoint-results.csv")
    }
    table = pd.read_hdf(folder / f"{stem}.h5")
    assert table.index.tolist() == [("labeled-data", "vid1", f"img{i:03}.png") for i in range(6)]
    row = pd.read_csv(folder / f"{stem}-results.csv").iloc[0]
    content = json.loads((shuffle.parent / "evaluation_test.json").read_text())
    assert row["test rmse"] == round(content["metrics"]["rmse"], 2)
    errors = pd.read_csv(folder / f"{stem}-keypoint-results.csv", index_col=0)
    found = [one["rmse"] for one in content["keypoints"]]
    assert errors.loc["Test error (px)"].tolist() == pytest.approx(found)


def test_files_for_deeplabcut_are_written_when_they_are_asked_for_and_only_then(
    dlcore, shuffle, run
):
    results = shuffle.parents[4] / "evaluation-results-pytorch"
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*.csv")}
    quick = ("--pictures", 0, "--split", "all", "--format")

    none = dlcore("evaluate", shuffle, *quick, "none")
    given = dlcore("evaluate", run, *quick, "{type: deeplabcut, scorer: me}")

    assert none.code == given.code == 0, given.err
    assert before == {path: path.stat().st_mtime_ns for path in results.rglob("*.csv")}
    assert (run / "evaluation-results-pytorch" / run.name / "me.h5").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pcutoff", "{nose: 0.5}"), "inference.eval.pcutoff: names 'nose'"),
        (("--pcutoff", "much"), "inference.eval.pcutoff"),
        (("--format", "deeplabcat"), "did you mean 'deeplabcut'?"),
        (("--format", "deeplabcut"), "evaluate all with --split all"),
        (("--split", "validation"), "validation"),
        (("--snapshot", "77"), "there are: snapshot-best-003.pt"),
        (("--pictures", "-1"), "-1"),
    ],
)
def test_wrong_options_are_told_before_anything_is_computed(dlcore, run, arguments, message):
    done = dlcore("evaluate", run, *arguments)

    assert done.code != 0
    assert message in done.err
