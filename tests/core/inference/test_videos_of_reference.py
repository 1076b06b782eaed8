"""Frames of videos, from file to pose, give what DeepLabCut's own inference gave."""

import numpy as np
import pytest

from dlcore.inference import load_model

pytest.importorskip("av", reason="videos need PyAV: pip install av")

OPENFIELD = "data/openfield-Pranav-2018-10-30/videos/m3v1mp4.mp4"
CLIPS = {
    "openfield_cspnext_s": (OPENFIELD, 4),
    "multi_identity_unique_cspnext_s": ("peer/projects/multi_identity_unique/videos/clip.mp4", 8),
    "multi_rtmpose_s": ("peer/projects/multi/videos/clip.mp4", 3),
}


@pytest.mark.parametrize("name", CLIPS)
def test_the_first_frames_of_a_video(name, shared):
    path, count = CLIPS[name]
    folder = shared / "peer" / "snapshots" / name
    with np.load(folder / "video.npz") as file:
        expected = file["bodyparts"][:count, ..., :3].astype(np.float64)
    expected[expected[..., 2] < 0] = np.nan
    model = load_model(folder, device="cpu", batch_size=2)

    found = list(model.video(shared / path, stop=count))

    assert len(found) == count
    rows = np.full(expected.shape, np.nan)
    for number, one in enumerate(found):
        rows[number, : len(one.poses)] = one.poses
    both = np.isfinite(rows[..., 0]) & np.isfinite(expected[..., 0])
    assert (np.isfinite(rows[..., 0]) == np.isfinite(expected[..., 0])).mean() > 0.99
    assert both.any()
    apart = np.linalg.norm(rows[..., :2] - expected[..., :2], axis=-1)[both]
    assert np.median(apart) < 0.05
    assert np.percentile(apart, 90) < 0.5
