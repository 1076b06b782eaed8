"""Starting from other weights: heads by keypoint name, and a report of everything."""

import pytest
import torch
from torch import nn

from dlcore.engine.snapshots import save_snapshot
from dlcore.engine.transfer import apply_weight_init, transfer_weights
from dlcore.errors import SnapshotError
from dlcore.interfaces import PoseTask


class Head(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layer = nn.Conv2d(4, channels, 1)

    def convert_keypoints(self, state, old_indices):
        own = self.state_dict()
        return {
            key: torch.stack(
                [value[i] if i >= 0 else own[key][new] for new, i in enumerate(old_indices)]
            )
            for key, value in state.items()
        }


class FixedHead(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.layer = nn.Conv2d(4, channels, 1)


def model(channels, head=Head):
    network = nn.Module()
    network.backbone = nn.Conv2d(3, 4, 1)
    network.heads = nn.ModuleDict({"bodypart": head(channels)})
    return network


def snapshot(path, network, keypoints=None):
    content = {"metadata": {"epoch": 1}, "model": network.state_dict()}
    if keypoints is not None:
        content["dlcore"] = {"keypoints": list(keypoints), "unique_keypoints": []}
    save_snapshot(path, content)
    return path


def test_the_same_keypoints_take_all_weights(tmp_path):
    old, new = model(2), model(2)

    report = transfer_weights(new, snapshot(tmp_path / "s.pt", old, "ab"), PoseTask(("a", "b")))

    assert all(torch.equal(v, old.state_dict()[k]) for k, v in new.state_dict().items())
    assert len(report.loaded) == 4
    assert report.initialised == report.unused == report.reordered == ()


def test_heads_follow_the_names_of_the_keypoints(tmp_path):
    old, new = model(3), model(2)
    source = snapshot(tmp_path / "s.pt", old, "abc")

    report = transfer_weights(new, source, PoseTask(("c", "a")))

    weight = old.heads["bodypart"].layer.weight
    assert torch.equal(new.heads["bodypart"].layer.weight, weight[[2, 0]])
    assert set(report.reordered) == {
        "heads.bodypart.layer.weight",
        "heads.bodypart.layer.bias",
    }


def test_a_keypoint_that_the_old_model_lacks_starts_anew(tmp_path):
    old, new = model(2), model(2)
    before = new.heads["bodypart"].layer.weight[1].clone()

    transfer_weights(new, snapshot(tmp_path / "s.pt", old, "ab"), PoseTask(("b", "new")))

    weight = new.heads["bodypart"].layer.weight
    assert torch.equal(weight[0], old.heads["bodypart"].layer.weight[1])
    assert torch.equal(weight[1], before)


@pytest.mark.parametrize(
    ("head", "keypoints"), [(FixedHead, ("b", "a")), (Head, ("x", "y"))], ids=["fixed", "others"]
)
def test_a_head_that_cannot_follow_starts_anew_and_is_reported(tmp_path, head, keypoints):
    old, new = model(2, head), model(2, head)
    before = new.heads["bodypart"].layer.weight.clone()

    report = transfer_weights(
        new, snapshot(tmp_path / "s.pt", old, "ab"), PoseTask(tuple(keypoints))
    )

    assert torch.equal(new.heads["bodypart"].layer.weight, before)
    assert torch.equal(new.backbone.weight, old.backbone.weight)
    assert len(report.initialised) == 2


def test_snapshots_without_names_are_matched_by_shape(tmp_path):
    old, new = model(3), model(2)

    report = transfer_weights(new, snapshot(tmp_path / "s.pt", old), PoseTask(("a", "b")))

    assert torch.equal(new.backbone.weight, old.backbone.weight)
    assert len(report.initialised) == len(report.unused) == 2


def test_snapshots_without_names_have_those_of_the_config_beside_them(tmp_path):
    old, new = model(3), model(2)
    source = snapshot(tmp_path / "s.pt", old)
    (tmp_path / "pytorch_config.yaml").write_text("metadata: {bodyparts: [a, b, c]}")

    report = transfer_weights(new, source, PoseTask(("c", "a")))

    weight = old.heads["bodypart"].layer.weight
    assert torch.equal(new.heads["bodypart"].layer.weight, weight[[2, 0]])
    assert len(report.reordered) == 2


@pytest.mark.parametrize(
    "text", ["metadata: {}", "metadata: 3", "a: [", "metadata: {bodyparts: 4}"]
)
def test_a_config_that_names_nothing_is_left_aside(tmp_path, text):
    old, new = model(2), model(2)
    source = snapshot(tmp_path / "s.pt", old)
    (tmp_path / "pytorch_config.yaml").write_text(text)

    report = transfer_weights(new, source, PoseTask(("a", "b")))

    assert len(report.loaded) == 4


def test_a_snapshot_in_which_nothing_fits_is_refused(tmp_path):
    other = nn.Linear(2, 2)

    with pytest.raises(SnapshotError, match="fits this model"):
        transfer_weights(model(2), snapshot(tmp_path / "s.pt", other), PoseTask(("a",)))


def test_weight_init_takes_the_backbone_only_unless_told(tmp_path):
    old, new = model(2), model(2)
    before = new.heads["bodypart"].layer.weight.clone()
    snapshot(tmp_path / "s.pt", old)

    apply_weight_init(new, {"snapshot_path": "s.pt"}, tmp_path / "config.yaml")

    assert torch.equal(new.backbone.weight, old.backbone.weight)
    assert torch.equal(new.heads["bodypart"].layer.weight, before)


def test_weight_init_reorders_the_head_by_the_conversion_array(tmp_path):
    old, new = model(3), model(2)
    snapshot(tmp_path / "s.pt", old)
    block = {"snapshot_path": "s.pt", "with_decoder": True, "conversion_array": [2, 0]}

    apply_weight_init(new, block, tmp_path / "config.yaml")

    weight = old.heads["bodypart"].layer.weight
    assert torch.equal(new.heads["bodypart"].layer.weight, weight[[2, 0]])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"dataset": "superanimal_topviewmouse"}, "superanimal_topviewmouse"),
        ({"snapshot_path": "missing.pt"}, "there is no snapshot"),
        ({"snapshot_path": "other.pt"}, "does not fit this model: backbone.weight"),
    ],
)
def test_weight_init_that_cannot_be_done_says_why(tmp_path, block, message):
    snapshot(tmp_path / "other.pt", nn.Linear(2, 2))

    with pytest.raises(SnapshotError, match=message):
        apply_weight_init(model(2), block, tmp_path / "config.yaml")
