"""Snapshots of other weights are kept by the rules of the model's, and do not get in their way."""

import pytest
import torch

from dlcore.engine.offers import Offers
from dlcore.engine.snapshots import (
    SnapshotManager,
    list_offered,
    list_snapshots,
    load_snapshot,
    save_snapshot,
)

METRIC = "metrics/test.mAP"


def content(epoch):
    return {
        "metadata": {"epoch": epoch, "metrics": {METRIC: 1.0}, "losses": {}},
        "model": {"weight": torch.zeros(2)},
        "dlcore": {"run_id": "a"},
        "optimizer": {},
    }


def manager(folder, **options):
    settings = {"max_snapshots": 2, "save_epochs": 2, "key_metric": "test.mAP", "ascending": True}
    return SnapshotManager(folder, "snapshot", **(settings | options))


def write(offers, epoch, value=None, *, is_last=False, weight=1.0):
    metrics = {} if value is None else {METRIC: value, "losses/eval.total_loss": 0.5}
    offers.add("ema", lambda: {"weight": torch.full((2,), weight)}, metrics)
    return offers.write(epoch, is_last=is_last, content=lambda: content(epoch))


def names(folder):
    return [snapshot.path.name for snapshot in list_offered(folder)]


def test_they_are_kept_like_those_of_the_model(tmp_path):
    offers = Offers(manager(tmp_path))
    for epoch, value in enumerate([None, 5.0, None, 7.0, None, 6.0], start=1):
        write(offers, epoch, value, weight=float(epoch))

    assert names(tmp_path) == ["snapshot-ema-002.pt", "snapshot-ema-006.pt",
                               "snapshot-ema-best-004.pt"]  # fmt: skip
    assert list_snapshots(tmp_path) == []
    saved = load_snapshot(tmp_path / "snapshot-ema-best-004.pt")
    assert torch.equal(saved["model"]["weight"], torch.full((2,), 4.0))
    assert saved["metadata"] == {
        "epoch": 4,
        "metrics": {METRIC: 7.0},
        "losses": {"eval.total_loss": 0.5},
    }
    assert saved["dlcore"] == {"run_id": "a", "weights": "ema"}
    assert "optimizer" not in saved


def test_a_resumed_run_knows_the_best_one(tmp_path):
    write(Offers(manager(tmp_path)), 1, 8.0)
    write(Offers(manager(tmp_path)), 3, 7.0)
    assert names(tmp_path) == ["snapshot-ema-best-001.pt"]


def test_the_last_epoch_leaves_one(tmp_path):
    [(name, path)] = write(Offers(manager(tmp_path)), 3, is_last=True)
    assert (name, path.name) == ("ema", "snapshot-ema-003.pt")


def test_what_is_not_offered_again_is_not_written_again(tmp_path):
    offers = Offers(manager(tmp_path))
    write(offers, 2)
    assert offers.write(4, is_last=True, content=lambda: content(4)) == []


def test_weights_that_cannot_be_had_are_warned_about(tmp_path, caplog):
    offers = Offers(manager(tmp_path))
    offers.add("ema", lambda: {}["gone"], {})
    assert offers.write(2, is_last=False, content=lambda: content(2)) == []
    assert caplog.messages == ["no snapshot of ema: KeyError: 'gone'"]


@pytest.mark.parametrize("name", ["", "best", "detector", "a-b", "9", "ä", "../x"])
def test_names_that_would_be_taken_for_others_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match="name must be letters"):
        Offers(manager(tmp_path)).add(name, dict, {})


def test_those_of_a_pose_model_and_of_a_detector_are_told_apart(tmp_path):
    for name in (
        "snapshot-001.pt",
        "snapshot-best-002.pt",
        "snapshot-ema-003.pt",
        "snapshot-detector-004.pt",
        "snapshot-detector-best-005.pt",
        "snapshot-detector-ema-006.pt",
    ):
        save_snapshot(tmp_path / name, content(1))
    assert names(tmp_path) == ["snapshot-ema-003.pt"]
    [found] = list_offered(tmp_path, "snapshot-detector")
    assert found.path.name == "snapshot-detector-ema-006.pt"
    assert [s.epoch for s in list_snapshots(tmp_path)] == [1, 2]
