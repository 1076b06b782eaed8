"""`dlcore evaluate` gives the numbers that DeepLabCut gives for the same snapshot and images."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from dlcore.cli.main import main
from dlcore.engine.metrics import identity_accuracy

TOLERANCE = {"rel": 2e-3, "abs": 5e-3}
"""Places agree within some 0.01 pixel, metrics that count keypoints exactly or not at all."""

BOTH = ("train", "test")
SNAPSHOTS = {
    "multi_identity_unique_cspnext_s": ("multi_identity_unique", 1, "evaluation", BOTH, ()),
    "multi_dekr_w18": ("multi", 2, "evaluation", ("test",), ()),
    "multi_rtmpose_s": ("multi", 1, "evaluation_detector", BOTH, ("--boxes", "detector")),
    "multi_rtmpose_s in true boxes": (
        *("multi", 1, "evaluation_true_boxes", ("test",)),
        ("--boxes", "truth"),
    ),
}
FIXED_PADDING = {"pad_width_divisor": 32, "pad_height_divisor": 32, "position": "top_left"}


def place(shared, folder, snapshots, kind, shuffle):
    """A copy of a project with a stored snapshot in the `train` folder of a shuffle."""
    project = shutil.copytree(shared / "peer" / "projects" / kind, folder / kind)
    (shuffle_folder,) = (project / "dlc-models-pytorch" / "iteration-0").glob(f"*shuffle{shuffle}")
    train = shuffle_folder / "train"
    for path in snapshots.glob("snapshot*.pt"):
        shutil.copy(path, train)
    config = yaml.safe_load((snapshots / "pytorch_config.yaml").read_text())
    if "dekr" in snapshots.name:  # DeepLabCut pads at random places; the reference did not
        config["data"]["inference"]["auto_padding"] = FIXED_PADDING
    (train / "pytorch_config.yaml").write_text(yaml.safe_dump(config))
    return train


@pytest.fixture(scope="module")
def evaluated(shared, tmp_path_factory):
    """Evaluates a stored snapshot; gives both splits, DeepLabCut's metrics, and the run."""
    known = {}

    def evaluate(name, capsys):
        if name not in known:
            kind, shuffle, file, splits, more = SNAPSHOTS[name]
            snapshots = shared / "peer" / "snapshots" / name.partition(" ")[0]
            train = place(shared, tmp_path_factory.mktemp("e"), snapshots, kind, shuffle)
            split = "all" if splits == BOTH else splits[0]
            command = ["evaluate", str(train), "--split", split, "--pictures", "0", "--json"]
            capsys.readouterr()
            assert main([*command, *more]) == 0
            ours = json.loads(capsys.readouterr().out)
            with np.load(snapshots / f"{file}.npz") as reference:
                theirs = json.loads(str(reference["meta"]))
            known[name] = ours if splits == BOTH else {split: ours}, theirs, train
        return known[name]

    return evaluate


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_metrics_of_a_stored_snapshot(name, evaluated, capsys):
    ours, theirs, _ = evaluated(name, capsys)

    assert set(ours) == set(SNAPSHOTS[name][3])
    for split in ours:
        expected = theirs[split]["metrics"]
        expected = {k: v for k, v in expected.items() if not k.startswith("id_head_")}
        found = {key: ours[split]["metrics"][key] for key in expected}
        numbers = {key: np.nan if value is None else value for key, value in found.items()}
        wanted = {key: np.nan if value is None else value for key, value in expected.items()}
        assert numbers == pytest.approx(wanted, nan_ok=True, **TOLERANCE)
        assert ours[split]["images"] == len(theirs[split]["images"])


def test_identities_are_judged_as_deeplabcut_does_but_for_what_was_not_found(
    evaluated, shared, capsys
):
    """DeepLabCut has individuals that it did not find at (-1, -1), and counts them as found."""
    name = "multi_identity_unique_cspnext_s"
    ours, theirs, _ = evaluated(name, capsys)
    with np.load(shared / "peer" / "snapshots" / name / "evaluation.npz") as reference:
        arrays = {key: reference[key] for key in reference.files}

    for split in ("train", "test"):
        poses = arrays[f"{split}/bodyparts"][..., :3]
        rest = arrays[f"{split}/ground_truth"], arrays[f"{split}/identity_scores"]
        with_missing = np.where(poses < 0, poses * (1, 1, 0), poses)
        metrics = theirs[split]["metrics"]
        expected = [value for key, value in metrics.items() if key.startswith("id_head_")]
        assert identity_accuracy(with_missing, *rest).tolist() == pytest.approx(expected)
        ids = [value for key, value in ours[split]["metrics"].items() if key.startswith("id_head_")]
        assert identity_accuracy(poses, *rest).tolist() == pytest.approx(ids)
        assert sum(map(sum, ours[split]["identity"]["confusion"])) > 10


def test_the_files_for_deeplabcut_are_those_that_it_writes_itself(evaluated, shared, capsys):
    """The predictions of another shuffle of the same project with the same snapshots."""
    _, _, train = evaluated("multi_rtmpose_s", capsys)
    project = train.parents[3]
    (path,) = (project / "evaluation-results-pytorch").rglob("*.h5")
    (other,) = (shared / "peer" / "outputs" / "multi" / "evaluation-results-pytorch").rglob("*.h5")

    found, expected = pd.read_hdf(path), pd.read_hdf(other)

    assert found.index.tolist() == expected.index.tolist()
    assert [column[1:] for column in found.columns] == [column[1:] for column in expected.columns]
    assert found.columns.names == expected.columns.names
    assert found.dtypes.unique().tolist() == expected.dtypes.unique().tolist()
    apart = np.abs(found.to_numpy() - expected.to_numpy())
    assert np.median(apart) < 0.01
    assert np.quantile(apart, 0.99) < 0.1
    tables = [
        path.with_name(f"{path.stem}-results.csv"),
        other.with_name(f"{other.stem}-results.csv"),
    ]
    heads = [pd.read_csv(table).columns.tolist() for table in tables]
    assert heads[0] == heads[1]
    row = pd.read_csv(tables[0]).iloc[0]
    assert row["Training epochs"] == 40
    assert row["Detector epochs (TD only)"] == 40
    assert row["%Training dataset"] == 0.8


def test_errors_by_keypoint_of_a_stored_snapshot(shared):
    """Without the images of the project: those predictions that the reference has stored."""
    from dlcore.inference.evaluation import compare
    from dlcore.inference.evaluation_options import Counting
    from dlcore.interfaces import PoseTask, Prediction, Record

    file = shared / "peer" / "snapshots" / "openfield_cspnext_s" / "evaluation.npz"
    with np.load(file) as reference:
        theirs = json.loads(str(reference["meta"]))
        poses, labels = reference["test/bodyparts"], reference["test/ground_truth"]
    task = PoseTask(tuple(theirs["bodyparts"]))
    records = [
        Record(f"{i}.png", None, one, np.zeros((0, 3)), np.zeros(1, np.int64))
        for i, one in enumerate(labels)
    ]

    metrics, details = compare([Prediction(one) for one in poses], records, task, Counting())

    expected = theirs["test"]["metrics"]
    for index, keypoint in enumerate(details.keypoints):
        assert keypoint.rmse == pytest.approx(expected[f"rmse_keypoint_{index}"])
    assert metrics["rmse"] == pytest.approx(expected["rmse"])
    assert details.pooled.rmse == pytest.approx(expected["rmse"])
    assert np.isnan(metrics["rmse_pcutoff"])
    assert expected["rmse_pcutoff"] is None
    assert metrics["mAP"] == pytest.approx(expected["mAP"])
