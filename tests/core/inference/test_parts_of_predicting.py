"""The parts of a prediction: sources, journal, threads, rows, counts of switches."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dlcore.errors import DataError
from dlcore.inference import identity_switches
from dlcore.inference.journal import Journal
from dlcore.inference.rows import by_individual, nothing, shifted
from dlcore.inference.sources import find_sources
from dlcore.inference.threads import WriteBehind, read_ahead
from dlcore.interfaces import PoseTask, PredictedFrame, Prediction

TASK = PoseTask(("snout", "tail"), ("door",), ("a", "b", "c"))


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_sources_are_videos_and_images_by_folder_in_natural_order(tmp_path, monkeypatch):
    touch(tmp_path, "a/img10.png", "a/img2.PNG", "a/notes.txt", "a/.hidden.png", "a/in/x.png")
    touch(tmp_path, "b/two.mp4", "b/one.AVI", "b/one_labelled.mp4", "c/frame.jpg")
    monkeypatch.chdir(tmp_path)

    found = find_sources(["a", "b", "c/*.jpg", "a/img2.PNG", "b/one.AVI"])

    assert [path.as_posix() for path in found.videos] == ["b/one.AVI", "b/two.mp4"]
    assert {
        folder.as_posix(): [path.name for path in images] for folder, images in found.images.items()
    } == {"a": ["img2.PNG", "img10.png"], "c": ["frame.jpg"]}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", "folder 'empty' holds no images or videos"),
        ("none.mp4", r"there is no 'none\.mp4'"),
        ("*.png", r"nothing matches '\*\.png'"),
    ],
)
def test_what_stands_for_nothing_is_told(tmp_path, monkeypatch, name, message):
    touch(tmp_path, "empty/notes.txt")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DataError, match=message):
        find_sources([name])


def test_a_journal_gives_back_what_it_got_also_when_it_is_opened_again(tmp_path):
    draw = np.random.default_rng(0)
    full = Prediction(*(draw.random(shape) for shape in ((2, 2, 3), (1, 3), (2, 4), (2,))))
    full.poses[1, 0] = np.nan
    frames = [
        PredictedFrame(5, full, size=(64, 48)),
        PredictedFrame(6, nothing(TASK), name="Bild ä.png"),
    ]
    journal = Journal(tmp_path / "journal.bin")
    journal.append(frames[:1])
    journal.close()
    journal = Journal(tmp_path / "journal.bin")
    journal.append(frames[1:])

    found = list(journal.frames())
    journal.close()

    assert [(f.number, f.name, f.size) for f in found] == [
        (5, "", (64, 48)),
        (6, "Bild ä.png", None),
    ]
    np.testing.assert_array_equal(found[0].prediction.poses, full.poses)
    np.testing.assert_array_equal(found[0].prediction.box_scores, full.box_scores)
    assert found[0].prediction.identity is None
    assert found[1].prediction.poses.shape == (0, 2, 3)


@pytest.mark.parametrize("damage", [b"", b"\1\2\3", b"\xff" * 40])
def test_a_damaged_end_of_a_journal_is_dropped(tmp_path, damage):
    path = tmp_path / "journal.bin"
    journal = Journal(path)
    journal.append([PredictedFrame(n, nothing(TASK)) for n in range(3)])
    journal.close()
    with path.open("ab") as file:
        file.write(damage)

    journal = Journal(path)
    journal.append([PredictedFrame(3, nothing(TASK))])

    assert [f.number for f in journal.frames()] == [0, 1, 2, 3]
    journal.close()


def test_reading_ahead_stops_at_its_bound_and_passes_errors_on():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            if number == 20:
                raise DataError("the disk is gone")
            yield number

    with read_ahead(items(), 3) as ahead:
        time.sleep(0.1)
        assert len(taken) <= 5
        with pytest.raises(DataError, match="the disk is gone"):
            list(ahead)
    with read_ahead(iter(range(10**9)), 2) as ahead:
        assert next(ahead) == 0  # and leaving does not wait for the rest


def test_writing_behind_keeps_the_order_and_raises_what_went_wrong():
    done = []
    behind = WriteBehind(done.append, 2)
    for number in range(10):
        behind.put(number)
    behind.finish()
    assert done == list(range(10))

    def fail(item):
        raise OSError("full")

    behind = WriteBehind(fail, 1)
    behind.put(0)
    with pytest.raises(OSError, match="full"):
        behind.finish()
    with pytest.raises(OSError, match="full"):
        behind.put(1)
    behind.cancel()


def test_rows_are_those_of_the_individuals():
    poses = np.arange(12.0).reshape(2, 2, 3)
    found = Prediction(poses, boxes=np.arange(8.0).reshape(2, 4))

    class Tracker:
        def update(self, poses):
            return np.array([2, -1])[: len(poses)]

    rows = by_individual(found, TASK, Tracker())
    plain = by_individual(found, TASK, None)

    np.testing.assert_array_equal(rows.poses[2], poses[0])
    assert np.isnan(rows.poses[:2]).all()
    np.testing.assert_array_equal(rows.boxes[2], found.boxes[0])
    np.testing.assert_array_equal(plain.poses[:2], poses)
    assert plain.poses.shape == (3, 2, 3)


def test_places_in_a_part_become_places_in_the_whole():
    part = Prediction(np.ones((1, 2, 3)), unique=np.ones((1, 3)), boxes=np.ones((1, 4)))

    whole = shifted(part, (10, 20))

    np.testing.assert_array_equal(whole.poses[0, 0], [11, 21, 1])
    np.testing.assert_array_equal(whole.unique[0], [11, 21, 1])
    np.testing.assert_array_equal(whole.boxes[0], [11, 21, 1, 1])
    assert (part.poses == 1).all()


def test_switches_are_counted_whoever_is_in_which_row():
    truth = np.zeros((6, 2, 1, 2))
    truth[:, 1] = 50
    swapped = truth[:, ::-1].copy()
    once = truth.copy()
    once[3:] = once[3:, ::-1]
    gone = truth.copy()
    gone[2:4, 0] = np.nan

    assert identity_switches(truth, truth).switches == 0
    assert identity_switches(swapped, truth).share_kept == 1
    assert identity_switches(once, truth).switches == 2
    assert identity_switches(once, truth).share_kept == 0.5
    assert identity_switches(gone, truth).found == 10
    assert identity_switches(truth + 30, truth, max_distance=10).found == 0
