"""Evaluations are written as DeepLabCut writes them: index, columns, types, names, rounding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tables

from dlcore import DataError
from dlcore.interfaces import EvaluatedSplit, EvaluationJob, PoseTask, Prediction, Record
from dlcore_plugins.deeplabcut.evaluation import COMBINED, DeepLabCutEvaluationWriter
from tests.plugins.deeplabcut.projects import write_config

PARTS = ("snout", "leftear", "rightear", "shoulder", "spine", "tailbase")
MICE = ("mouse1", "mouse2", "mouse3")
KINDS = {
    "single": PoseTask(PARTS),
    "multi": PoseTask(PARTS, individuals=MICE),
    "multi_identity_unique": PoseTask(PARTS, ("lamp", "door"), MICE, with_identity=True),
}


def theirs(shared: Path, kind: str) -> tuple[Path, Path]:
    """The .h5 and the -results.csv that DeepLabCut wrote."""
    folder = shared / "peer" / "outputs" / kind / "evaluation-results-pytorch"
    (table,) = folder.rglob("*.h5")
    return table, table.with_name(f"{table.stem}-results.csv")


def job_of(folder: Path, task: PoseTask, **changes) -> EvaluationJob:
    job = EvaluationJob(
        folder=folder,
        task=task,
        splits=("train", "test"),
        pcutoff=0.6,
        config_path=folder / "pytorch_config.yaml",
        snapshot=folder / "snapshot-best-020.pt",
        config={"net_type": "cspnext_s"},
    )
    return replace(job, **changes)


def split_of(name: str, rows: pd.DataFrame, task: PoseTask, metrics=None) -> EvaluatedSplit:
    """The numbers of a table as predictions."""
    cut = task.num_individuals * task.num_keypoints * 3
    shape = (task.num_individuals, task.num_keypoints, 3)
    records, predictions = [], []
    for index, row in zip(rows.index, rows.to_numpy(np.float64), strict=True):
        unique = row[cut:].reshape(-1, 3) if task.unique_keypoints else None
        predictions.append(Prediction(row[:cut].reshape(shape), unique))
        records.append(
            Record(
                image=Path("/somewhere").joinpath(*index),
                size=(200, 200),
                keypoints=np.zeros((0, task.num_keypoints, 3)),
                unique_keypoints=np.zeros((len(task.unique_keypoints), 3)),
                individual_ids=np.zeros(0, np.int64),
                key=index,
            )
        )
    errors = [1.5] * (task.num_keypoints + len(task.unique_keypoints))
    return EvaluatedSplit(name, records, predictions, metrics or {}, errors)


def metrics_of(row: pd.Series, split: str) -> dict[str, float]:
    """Metrics that round to those of a table."""
    prefix = f"{split} "
    return {
        name.removeprefix(prefix): value + 0.004
        for name, value in row.items()
        if name.startswith(prefix)
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_predictions_equals_deeplabcuts(kind, shared, tmp_path):
    path, _ = theirs(shared, kind)
    expected, task = pd.read_hdf(path), KINDS[kind]
    writer = DeepLabCutEvaluationWriter(job_of(tmp_path, task), scorer=path.stem)
    order = np.random.default_rng(0).permutation(len(expected))

    writer.write(
        [
            split_of("train", expected.iloc[order[:24]], task),
            split_of("test", expected.iloc[order[24:]], task),
        ]
    )

    found = writer.folder / path.name
    pd.testing.assert_frame_equal(
        pd.read_hdf(found), expected, check_exact=True, check_column_type=True
    )
    assert list(pd.read_hdf(found).index.names) == list(expected.index.names)
    with tables.open_file(str(found)) as ours, tables.open_file(str(path)) as original:
        assert [group._v_name for group in ours.root] == [group._v_name for group in original.root]
        (mine,), (other,) = list(ours.root), list(original.root)
        assert mine._v_attrs.pandas_type == other._v_attrs.pandas_type


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_metrics_equals_deeplabcuts_to_the_letter(kind, shared, tmp_path):
    table, path = theirs(shared, kind)
    row, task = pd.read_csv(path).iloc[0], KINDS[kind]
    write_config(tmp_path, Task="syn", date="Jan1")
    train_folder = tmp_path / "dlc-models-pytorch" / "iteration-0" / path.parent.name / "train"
    train_folder.mkdir(parents=True)
    detector = Path("snapshot-detector-best-040.pt") if "detector" in table.stem else None
    epochs = int(row["Training epochs"])
    net_type = "rtmpose_s" if detector else "cspnext_s"
    job = job_of(
        train_folder,
        task,
        config={"net_type": net_type},
        snapshot=train_folder / f"snapshot-best-{epochs:03}.pt",
        detector_snapshot=detector,
    )
    predicted = pd.read_hdf(table)

    files = DeepLabCutEvaluationWriter(job).write(
        [
            split_of("train", predicted[:24], task, metrics_of(row, "train")),
            split_of("test", predicted[24:], task, metrics_of(row, "test")),
        ]
    )

    original = shared / "peer" / "outputs" / kind
    for mine in (files[0], files[1], files[3]):
        other = original / mine.relative_to(tmp_path)
        assert other.is_file(), mine
    assert files[1].read_text() == path.read_text()
    assert files[3].name == COMBINED
    assert files[3].read_text() == (path.parent.parent / COMBINED).read_text()


def test_the_errors_of_bodyparts_have_a_row_for_each_split(tmp_path):
    task = PoseTask(("snout", "tail"), ("lamp",))
    rows = pd.DataFrame(np.zeros((1, 9)), index=[("labeled-data", "clip", "a.png")])
    splits = [split_of(name, rows, task) for name in ("test", "train")]
    splits = [replace(splits[0], keypoint_errors=[1, 2, float("nan")]), splits[1]]

    files = DeepLabCutEvaluationWriter(job_of(tmp_path, task)).write(splits)

    assert files[2].read_text().splitlines() == [
        ",snout,tail,lamp",
        "Train error (px),1.5,1.5,1.5",
        "Test error (px),1.0,2.0,",
    ]


def test_rows_of_other_snapshots_are_kept_and_those_of_the_same_replaced(tmp_path):
    task = PoseTask(("snout",))
    rows = pd.DataFrame(np.zeros((1, 3)), index=[("labeled-data", "clip", "a.png")])

    def write(epoch: int, rmse: float) -> pd.DataFrame:
        job = job_of(tmp_path, task, snapshot=tmp_path / f"snapshot-{epoch:03}.pt")
        splits = [split_of(name, rows, task, {"rmse": rmse}) for name in job.splits]
        return pd.read_csv(DeepLabCutEvaluationWriter(job).write(splits)[3])

    write(20, 5.0)
    write(10, 7.0)
    combined = write(20, 4.0)

    assert combined["Training epochs"].tolist() == [10, 20]
    assert combined["test rmse"].tolist() == [7.0, 4.0]
    assert combined["%Training dataset"].tolist() == [0.5, 0.5]
    assert combined["test mAP"].isna().all()


def test_individuals_that_are_not_found_are_empty(tmp_path):
    task = PoseTask(("snout",), individuals=("a", "b"))
    rows = pd.DataFrame([[1.0, 2, 0.5, 3, 4, 0.6]], index=[("labeled-data", "clip", "a.png")])
    split = split_of("train", rows, task)
    split.predictions[0].poses = split.predictions[0].poses[:1]
    test = split_of("test", rows.set_index(pd.Index([("labeled-data", "clip", "b.png")])), task)

    files = DeepLabCutEvaluationWriter(job_of(tmp_path, task)).write([split, test])

    table = pd.read_hdf(files[0])
    np.testing.assert_array_equal(table.iloc[0], np.float32([1, 2, 0.5, *[np.nan] * 3]))
    assert table.iloc[1].notna().all()


def test_one_split_is_not_enough(tmp_path):
    job = job_of(tmp_path, PoseTask(("snout",)), splits=("test",))

    with pytest.raises(ValueError, match=r"the train images are not evaluated.*--split all"):
        DeepLabCutEvaluationWriter(job)


def test_a_table_that_is_none_is_not_overwritten(tmp_path):
    task = PoseTask(("snout",))
    rows = pd.DataFrame(np.zeros((1, 3)), index=[("labeled-data", "clip", "a.png")])
    writer = DeepLabCutEvaluationWriter(job_of(tmp_path, task))
    path = writer.folder.parent / COMBINED
    path.parent.mkdir(parents=True)
    path.write_text("something else\n1\n")

    with pytest.raises(DataError, match="is not a table of evaluations"):
        writer.write([split_of(name, rows, task) for name in ("train", "test")])

    assert path.read_text() == "something else\n1\n"
