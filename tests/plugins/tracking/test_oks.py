"""The tracker keeps individuals apart, on true tracks with noise and gaps."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from dlcore.inference import identity_switches
from dlcore.interfaces import PoseTask
from dlcore_plugins.tracking.oks import OKSTracker

TASK = PoseTask(("a", "b", "c"), individuals=("one", "two"))
SHAPE = np.array([(0.0, 0.0), (10.0, 0.0), (0.0, 10.0)])


def tracked(tracker, poses, seed=0, shuffle=True):
    """Poses (F, N, K, 3) in the rows that the tracker gives, entered in any order."""
    draw = np.random.default_rng(seed)
    placed = np.full(poses.shape, np.nan)
    for frame, some in enumerate(poses):
        order = draw.permutation(len(some)) if shuffle else np.arange(len(some))
        some = some[order]
        some = some[np.isfinite(some[..., 0]).any(axis=1)]
        for pose, row in zip(some, tracker.update(some), strict=True):
            if row >= 0:
                placed[frame, row] = pose
    return placed


def moving(*paths, score=0.9):
    """Rigid animals (F, N, K, 3) along paths (F, 2)."""
    places = np.stack([path[:, None] + SHAPE for path in paths], axis=1)
    return np.concatenate([places, np.full((*places.shape[:-1], 1), score)], axis=-1)


def line(start, step, count=40):
    return np.array(start, float) + np.arange(count)[:, None] * np.array(step, float)


def test_two_that_pass_each_other_are_kept_by_their_motion():
    truth = moving(line((0, 0), (4, 0)), line((160, 6), (-4, 0)))

    assert identity_switches(tracked(OKSTracker(TASK), truth), truth).switches == 0


def test_one_that_is_lost_for_a_while_comes_back_to_its_row():
    truth = moving(line((0, 0), (1, 0)), line((100, 80), (-1, 0)))
    seen = truth.copy()
    seen[10:22, 1] = np.nan

    assert identity_switches(tracked(OKSTracker(TASK), seen), truth).switches == 0


def test_one_that_jumps_is_not_taken_for_a_third():
    truth = moving(line((0, 0), (1, 0)), line((100, 80), (-1, 0)))
    truth[20:, 1, :, :2] += 300

    assert identity_switches(tracked(OKSTracker(TASK), truth), truth).switches == 0


def test_of_too_many_the_least_sure_is_left_out():
    tracker = OKSTracker(TASK)
    three = moving(line((0, 0), (0, 0), 1), line((50, 0), (0, 0), 1), line((100, 0), (0, 0), 1))[0]
    three[1, :, 2] = 0.2

    assert tracker.update(three)[1] == -1


@pytest.mark.parametrize("every", [1, 5])
def test_the_flies_are_kept_apart(shared, every):
    truth = _flies(shared / "data" / "videos" / "flies_pair.tracks.csv")[: 300 * every : every]
    draw = np.random.default_rng(3)
    noisy = truth.copy()
    noisy[..., :2] += draw.normal(0, 3, noisy[..., :2].shape)
    noisy[draw.random(noisy.shape[:3]) < 0.2] = np.nan  # keypoints
    noisy[draw.random(noisy.shape[:2]) < 0.1] = np.nan  # flies
    task = PoseTask(tuple(f"k{n}" for n in range(truth.shape[2])), individuals=("a", "b"))

    found = identity_switches(tracked(OKSTracker(task), noisy), truth)

    assert found.found > 1.7 * len(truth) * 0.9
    assert found.switches <= (0 if every == 1 else 2)  # chance: half of all frames
    assert found.share_kept > 0.99


def test_flies_as_a_trained_model_finds_them_are_kept_apart(shared):
    """Of every fifth frame, in the order of their scores; found by examples/flies_pair/top_down."""
    with np.load(Path(__file__).with_name("flies_found.npz")) as file:
        found = file["poses"].astype(np.float64)
    truth = _flies(shared / "data" / "videos" / "flies_pair.tracks.csv")[::5]
    task = PoseTask(tuple(f"k{n}" for n in range(truth.shape[2])), individuals=("a", "b"))

    kept = identity_switches(tracked(OKSTracker(task), found), truth)

    assert identity_switches(found, truth).switches > 40
    assert (kept.found, kept.switches, kept.share_kept) == (440, 0, 1.0)


def _flies(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [column[:-2] for column in rows[0] if column.endswith("_x")]
    truth = np.full((1 + max(int(row["frame"]) for row in rows), 2, len(names), 3), np.nan)
    for row in rows:
        for k, name in enumerate(names):
            if row[f"{name}_x"]:
                place = float(row[f"{name}_x"]), float(row[f"{name}_y"]), 0.9
                truth[int(row["frame"]), int(row["track"]) - 1, k] = place
    return truth
