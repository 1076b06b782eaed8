"""Which images are drawn, and what can be seen in the pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from dlcore.inference.evaluation import Evaluation, compare
from dlcore.inference.evaluation_details import ImageSummary
from dlcore.inference.evaluation_drawing import view
from dlcore.inference.evaluation_options import Counting
from dlcore.inference.evaluation_pictures import choose, draw_pictures
from dlcore.interfaces import PoseTask, Prediction, Record

TASK = PoseTask(("snout", "tail"), ("lamp",), ("one", "two"), skeleton=((0, 1),))
ANIMAL = np.array([[20.0, 20, 2], [60, 40, 2]])


def images(*errors, missed=()):
    return [
        ImageSummary(str(i), 0 if error is None else 2, error or 0.0, math.nan, int(i in missed))
        for i, error in enumerate(errors)
    ]


def test_half_of_the_pictures_are_the_worst_and_the_others_from_the_middle_and_the_end():
    chosen = choose(images(*range(1, 22)), 6)

    assert [kind for _, kind in chosen] == ["worst"] * 3 + ["typical"] * 2 + ["best"]
    assert [index for index, _ in chosen[:3]] == [20, 19, 18]
    assert {index for index, _ in chosen[3:5]} <= {9, 10, 11}
    assert chosen[5][0] == 0


def test_an_image_with_a_missed_animal_is_worse_than_one_with_large_errors():
    assert choose(images(1, 50, 2, missed=[0]), 1) == [(0, "worst")]
    assert choose(images(1, math.nan, 2), 1) == [(1, "worst")]


def test_there_are_not_more_pictures_than_images_with_labels():
    assert choose(images(None, 3, None), 6) == [(1, "worst")]
    assert choose(images(None), 6) == []
    assert choose(images(1, 2), 0) == []
    for number in range(1, 9):
        chosen = [index for index, _ in choose(images(1, 2, 3, 4, 5), number)]
        assert len(chosen) == len(set(chosen)) == min(number, 5)


def test_small_animals_are_shown_large_and_large_images_whole():
    small = np.array([[500.0, 400], [540, 420], [np.nan, np.nan], [-50, 3]])

    x, y, width, height = view(small, (900, 1200, 3))

    assert x < 500 - 5
    assert y < 400 - 5
    assert x + width > 540 + 5
    assert y + height > 420 + 5
    assert width < 100
    assert view(np.array([[10.0, 10], [1100, 800]]), (900, 1200, 3)) == (0, 0, 1200, 900)
    assert view(np.full((2, 2), np.nan), (90, 120, 3)) == (0, 0, 120, 90)


@pytest.fixture
def evaluation(tmp_path):
    """A good image; one with an animal missed and a stray pose; one without animals."""
    labels = [[ANIMAL], [ANIMAL, ANIMAL + np.array([0, 40, 0])], []]
    found = [[ANIMAL + 1], [ANIMAL + np.array([9, 0, 0]), ANIMAL + 500], []]
    records, predictions = [], []
    for number, (some, poses) in enumerate(zip(labels, found, strict=True)):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((90, 120, 3), 60, np.uint8))
        keypoints = np.array(some).reshape(-1, 2, 3)
        predicted = np.array(poses).reshape(-1, 2, 3)
        predicted[..., 2] = (0.9, 0.1)
        lamp = np.array([[80.0, 10, 2 * (number != 2)]])
        records.append(Record(path, (120, 90), keypoints, lamp, np.arange(len(keypoints))))
        predictions.append(Prediction(predicted, np.array([[82.0, 12, 0.7]])))
    counting = Counting()
    metrics, details = compare(predictions, records, TASK, counting)
    return Evaluation(records, predictions, metrics, details, counting, 0.5)


def test_pictures_show_the_image_in_full_size_with_something_drawn_on_it(evaluation, tmp_path):
    folder = tmp_path / "evaluation_test"

    pictures = draw_pictures(evaluation, TASK, folder, 6)

    assert [picture.path.name for picture in pictures] == ["worst_1.jpg", "typical_1.jpg"]
    assert [picture.image for picture in pictures] == [str(tmp_path / f"{i}.png") for i in (1, 0)]
    for picture in pictures:
        drawn = cv2.imread(str(picture.path))
        assert min(drawn.shape[:2]) > 300
        assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 500
    assert pictures[0].as_plain(tmp_path)["file"] == "evaluation_test/worst_1.jpg"


def test_earlier_pictures_go_and_other_files_stay(evaluation, tmp_path):
    folder = tmp_path / "evaluation_test"
    folder.mkdir()
    (folder / "typical_7.jpg").touch()
    (folder / "mine.jpg").touch()

    assert draw_pictures(evaluation, TASK, folder, 0) == []

    assert [path.name for path in folder.iterdir()] == ["mine.jpg"]


def test_a_model_without_unique_keypoints_and_with_none_found_can_be_drawn(evaluation, tmp_path):
    nothing = [Prediction(np.zeros((0, 2, 3))) for _ in evaluation.records]
    metrics, details = compare(nothing, evaluation.records, TASK, Counting([0.1, 0.2, 0.3]))
    changed = replace(evaluation, predictions=nothing, metrics=metrics, details=details)

    (picture,) = draw_pictures(changed, TASK, tmp_path / "other", 1)

    assert picture.path.is_file()
    assert picture.as_plain(tmp_path)["rmse"] is None
