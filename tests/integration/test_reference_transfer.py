"""New runs start from snapshots that DeepLabCut trained, heads by the names of their keypoints."""

import logging

import pytest
import torch

from dlcore.config.loading import load_config
from dlcore.engine.assembly import build_model
from dlcore.engine.run_folder import LOGGER
from dlcore.engine.snapshots import load_snapshot
from dlcore.engine.transfer import apply_weight_init, transfer_weights
from dlcore.errors import SnapshotError
from tests.predicting import task_of

SNAPSHOTS = {
    "openfield_cspnext_s": "snapshot-best-035.pt",
    "multi_dekr_w18": "snapshot-best-020.pt",
    "multi_identity_unique_cspnext_s": "snapshot-best-060.pt",
    "multi_rtmpose_s": "snapshot-best-040.pt",
}
SIZE = {"multi_rtmpose_s": 256}


@pytest.fixture
def pair(shared, host):
    """The trained model, and a new one with some keypoints, the task of that, and the snapshot."""

    def make(name, **metadata):
        folder = shared / "peer" / "snapshots" / name
        path = folder / SNAPSHOTS[name]
        config = folder / "pytorch_config.yaml"
        loaded = load_config(config, host).config
        old = build_model(host, loaded, task_of(loaded), fresh=False).eval()
        old.load_state_dict(load_snapshot(path)["model"])
        changes = [f"metadata.{key}=[{', '.join(names)}]" for key, names in metadata.items()]
        changed = load_config(config, host, changes).config
        new = build_model(host, changed, task_of(changed), fresh=False).eval()
        return old, new, task_of(changed), path

    return make


@torch.no_grad()
def outputs(model, name):
    size = SIZE.get(name, 96)
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    return model(images)


def channels(output, names, wanted):
    """The channels of some keypoints; each keypoint may have several that lie together."""
    per_name = output.unflatten(1, (len(names), -1))
    return per_name[:, [names.index(name) for name in wanted]]


FORMER = ["snout", "leftear", "rightear", "tailbase"]
SIX = ["snout", "leftear", "rightear", "shoulder", "spine", "tailbase"]


def test_known_keypoints_are_taken_and_a_new_one_starts_anew(pair, caplog):
    now = ["tailbase", "nose", "leftear", "snout"]
    old, new, task, path = pair("openfield_cspnext_s", bodyparts=now)
    before = {key: value.clone() for key, value in new.state_dict().items()}
    LOGGER.addHandler(caplog.handler)

    with caplog.at_level(logging.INFO, LOGGER.name):
        report = transfer_weights(new, path, task)

    LOGGER.removeHandler(caplog.handler)
    known = ["tailbase", "leftear", "snout"]
    theirs, ours = (outputs(m, "openfield_cspnext_s")["bodypart"] for m in (old, new))
    for name in ("heatmap", "locref"):
        torch.testing.assert_close(
            channels(ours[name], now, known), channels(theirs[name], FORMER, known)
        )
    head = "heads.bodypart.heatmap_head.deconv_layers.0.weight"  # (features, keypoints, 3, 3)
    assert torch.equal(new.state_dict()[head][:, 1], before[head][:, 1])
    assert len(report.reordered) == 4
    assert len(report.loaded) == len(before) - 4
    assert report.initialised == report.unused == ()
    assert "new keypoints of head 'bodypart' start anew: nose" in caplog.text
    assert f"{len(before) - 4} tensors loaded, 4 reordered by keypoint" in caplog.text


def test_dekr_follows_the_names(pair):
    now = SIX[::-1]
    old, new, task, path = pair("multi_dekr_w18", bodyparts=now)

    transfer_weights(new, path, task)

    theirs, ours = (outputs(m, "multi_dekr_w18")["bodypart"] for m in (old, new))
    close = torch.testing.assert_close
    close(ours["heatmap"][:, -1], theirs["heatmap"][:, -1])  # of the centre
    close(ours["heatmap"][:, :-1].flip(1), theirs["heatmap"][:, :-1])
    close(channels(ours["offset"], now, SIX), channels(theirs["offset"], SIX, SIX))


def test_simcc_follows_the_names(pair):
    now = SIX[::-1]
    old, new, task, path = pair("multi_rtmpose_s", bodyparts=now)

    transfer_weights(new, path, task)

    theirs, ours = (outputs(m, "multi_rtmpose_s")["bodypart"] for m in (old, new))
    for axis in ("x", "y"):
        torch.testing.assert_close(ours[axis].flip(1), theirs[axis], rtol=1e-4, atol=1e-4)


def test_part_affinities_and_unique_bodyparts_follow_the_names(pair):
    now = SIX[::-1]
    old, new, task, path = pair(
        "multi_identity_unique_cspnext_s", bodyparts=now, unique_bodyparts=["door", "lamp"]
    )

    transfer_weights(new, path, task)

    theirs, ours = (outputs(m, "multi_identity_unique_cspnext_s") for m in (old, new))
    close = torch.testing.assert_close
    for name in ("heatmap", "locref"):
        close(
            channels(ours["bodypart"][name], now, SIX),
            channels(theirs["bodypart"][name], SIX, SIX),
            rtol=1e-4,
            atol=1e-4,
        )
    close(ours["unique_bodypart"]["heatmap"].flip(1), theirs["unique_bodypart"]["heatmap"])
    close(ours["identity"]["heatmap"], theirs["identity"]["heatmap"])


def test_a_snapshot_of_another_architecture_is_refused(pair, shared):
    _, new, task, _ = pair("openfield_cspnext_s")
    other = shared / "peer" / "snapshots" / "multi_dekr_w18" / SNAPSHOTS["multi_dekr_w18"]

    with pytest.raises(SnapshotError, match="fits this model"):
        transfer_weights(new, other, task)


@pytest.mark.parametrize("with_decoder", [False, True])
def test_weight_init_with_and_without_the_head(pair, with_decoder):
    now = ["tailbase", "nose", "leftear", "snout"]
    old, new, _, path = pair("openfield_cspnext_s", bodyparts=now)
    before = {key: value.clone() for key, value in new.state_dict().items()}
    block = {
        "snapshot_path": str(path),
        "with_decoder": with_decoder,
        "memory_replay": False,
        "conversion_array": [3, 2, 1, 0],
    }

    apply_weight_init(new, block, path.parent / "pytorch_config.yaml")

    state = new.state_dict()
    trained = old.state_dict()
    head = "heads.bodypart.heatmap_head.deconv_layers.0.weight"
    assert torch.equal(state[head], trained[head].flip(1) if with_decoder else before[head])
    for key in state:
        if key.startswith("backbone."):
            assert torch.equal(state[key], trained[key])
