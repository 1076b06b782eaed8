"""Snapshots: plain, atomic, safe to load, and kept by the rules."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcore.engine.snapshots import (
    SnapshotManager,
    list_snapshots,
    load_snapshot,
    load_weights,
    save_snapshot,
    to_plain,
)
from dlcore.errors import SnapshotError, TrainingError


def content(epoch=1, **more):
    return {"metadata": {"epoch": epoch, "metrics": {}, "losses": {}}, "model": {}, **more}


def manager(folder, **changes):
    options = {
        "max_snapshots": 2,
        "save_epochs": 2,
        "key_metric": "test.mAP",
        "ascending": True,
    }
    return SnapshotManager(folder, "snapshot", **(options | changes))


def run(snapshots, metrics_by_epoch, epochs):
    """File names after each epoch."""
    trace = {}
    for epoch in range(1, epochs + 1):
        value = metrics_by_epoch.get(epoch)
        metrics = {} if value is None else {"metrics/test.mAP": value}
        snapshots.update(
            epoch,
            is_last=epoch == epochs,
            metrics=metrics,
            content=lambda epoch=epoch: content(epoch),
        )
        trace[epoch] = [s.path.name for s in list_snapshots(snapshots.folder)]
    return trace


def test_keeps_the_snapshots_that_the_reference_keeps(tmp_path):
    trace = run(manager(tmp_path), {2: 5, 4: 7, 5: 6, 7: 9, 8: 8}, epochs=8)

    assert trace[1] == []
    assert trace[2] == ["snapshot-best-002.pt"]
    assert trace[4] == ["snapshot-002.pt", "snapshot-best-004.pt"]
    assert trace[6] == ["snapshot-002.pt", "snapshot-006.pt", "snapshot-best-004.pt"]
    assert trace[7] == ["snapshot-004.pt", "snapshot-006.pt", "snapshot-best-007.pt"]
    assert trace[8] == ["snapshot-006.pt", "snapshot-008.pt", "snapshot-best-007.pt"]


def test_a_worse_model_after_a_resume_does_not_replace_the_best(tmp_path):
    first = manager(tmp_path)
    run(first, {2: 9}, epochs=2)

    second = manager(tmp_path, best=first.best)
    second.update(3, is_last=True, metrics={"metrics/test.mAP": 8.0}, content=content)

    assert (tmp_path / "snapshot-best-002.pt").exists()
    assert (tmp_path / "snapshot-003.pt").exists()


def test_a_smaller_value_is_better_where_the_metric_descends(tmp_path):
    trace = run(manager(tmp_path, ascending=False), {1: 5.0, 3: 4.0}, epochs=3)

    assert trace[1] == ["snapshot-best-001.pt"]
    assert trace[3] == ["snapshot-002.pt", "snapshot-best-003.pt"]


def test_a_metric_that_is_nan_makes_no_best(tmp_path):
    trace = run(manager(tmp_path), {1: float("nan"), 2: float("nan")}, epochs=2)

    assert trace[2] == ["snapshot-002.pt"]


def test_the_number_of_an_epoch_may_have_more_than_three_digits(tmp_path):
    for epoch in (999, 1000):
        save_snapshot(tmp_path / f"snapshot-{epoch:03d}.pt", content(epoch))

    assert [s.epoch for s in list_snapshots(tmp_path)] == [999, 1000]


def test_other_files_are_no_snapshots(tmp_path):
    for name in ("snapshot-detector-001.pt", "snapshot-001.pt.tmp", "resume.pt", "snapshot-x.pt"):
        (tmp_path / name).touch()

    assert list_snapshots(tmp_path) == []


def test_a_full_disk_leaves_the_former_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "snapshot-001.pt"
    save_snapshot(path, content(1))
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*free some space"):
        save_snapshot(path, content(2))

    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_numpy_numbers_and_paths_become_plain():
    plain = to_plain(
        {"a": np.float32(1.5), "b": Path("x"), "c": np.arange(2), "d": (np.int64(3), {"e": None})}
    )

    assert type(plain["a"]) is float
    assert plain["b"] == "x"
    assert torch.equal(plain["c"], torch.arange(2))
    assert plain["d"] == (3, {"e": None})


def test_what_has_no_plain_form_is_refused():
    with pytest.raises(TypeError, match="object cannot be stored"):
        to_plain({"a": object()})


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "snapshot-001.pt"
    state = OrderedDict(weight=torch.randn(2, 3))
    save_snapshot(path, content(3) | {"model": state})

    loaded = load_snapshot(path)

    assert loaded["metadata"]["epoch"] == 3
    assert torch.equal(loaded["model"]["weight"], state["weight"])


def test_numpy_floats_of_older_snapshots_load(tmp_path):
    path = tmp_path / "snapshot-001.pt"
    torch.save(content() | {"metadata": {"epoch": 1, "metrics": {"a": np.float64(0.5)}}}, path)

    assert load_snapshot(path)["metadata"]["metrics"]["a"] == 0.5


class _Evil:
    def __reduce__(self):
        return (Path.touch, (Path("executed"),))


def test_code_in_a_snapshot_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "snapshot-001.pt"
    torch.save({"model": {}, "evil": _Evil()}, path)

    with pytest.raises(SnapshotError, match="could be code"):
        load_snapshot(path)
    path.write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(SnapshotError):
        load_snapshot(path)

    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.98])
def test_a_truncated_snapshot_is_refused_and_others_are_named(tmp_path, keep):
    path = tmp_path / "snapshot-002.pt"
    save_snapshot(tmp_path / "snapshot-001.pt", content(1))
    save_snapshot(path, content(2) | {"model": {"w": torch.randn(2000)}})
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])

    with pytest.raises(SnapshotError, match=r"snapshot-002.pt.*"):
        load_snapshot(path)


def test_a_missing_snapshot_is_refused_and_others_are_named(tmp_path):
    save_snapshot(tmp_path / "snapshot-001.pt", content(1))

    with pytest.raises(SnapshotError, match=r"there is no snapshot.*snapshot-001\.pt"):
        load_snapshot(tmp_path / "snapshot-007.pt")


def test_a_file_without_a_model_is_no_snapshot(tmp_path):
    torch.save({"state": {}}, tmp_path / "x.pt")

    with pytest.raises(SnapshotError, match="has no 'model'"):
        load_snapshot(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("metadata", [1], "metadata"),
        ("metadata", {"epoch": "three"}, "metadata.epoch"),
        ("metadata", {"epoch": -1}, "metadata.epoch"),
        ("metadata", {"epoch": 1, "metrics": [1]}, "metadata.metrics"),
        ("dlcore", "yes", "dlcore"),
        ("dlcore", {"config": 3}, "dlcore.config"),
        ("optimizer", [1], "optimizer"),
        ("scheduler", 1, "scheduler"),
        ("scaler", 1.0, "scaler"),
        ("rng", torch.zeros(1), "rng"),
        ("step", 0.5, "step"),
        ("model", {"weight": 3}, "model.weight"),
    ],
)
def test_a_part_of_another_type_is_refused_by_name(tmp_path, key, value, named):
    path = tmp_path / "snapshot-001.pt"
    torch.save(content() | {key: value}, path)

    with pytest.raises(SnapshotError, match=rf"snapshot-001\.pt.*'{named}'"):
        load_snapshot(path)


def test_refusals_hold_no_advice_of_torch(tmp_path):
    path = tmp_path / "snapshot-001.pt"
    messages = []
    save_snapshot(path, content())
    for data in (path.read_bytes()[:300], b"hello", pickle.dumps(_Evil())):
        path.write_bytes(data)
        with pytest.raises(SnapshotError) as error:
            load_snapshot(path)
        messages.append(str(error.value))
    torch.save({"model": {}, "evil": _Evil()}, path)
    with pytest.raises(SnapshotError, match=r"\('[\w.]+'\), which could be code") as error:
        load_snapshot(path)
    messages.append(str(error.value))

    assert not any("miniz" in m or "weights_only" in m or "PyTorch" in m for m in messages)


def test_weights_of_another_model_are_refused_with_the_differences(tmp_path):
    state = {"weight": torch.zeros(5, 2), "extra": torch.zeros(1)}

    with pytest.raises(SnapshotError) as error:
        load_weights(nn.Linear(2, 3), state, tmp_path / "s.pt")

    assert "belongs to another model" in str(error.value)
    assert "missing in the snapshot: bias" in str(error.value)
    assert "only in the snapshot: extra" in str(error.value)
    assert "weight is (5, 2) in the snapshot and (3, 2) here" in str(error.value)
