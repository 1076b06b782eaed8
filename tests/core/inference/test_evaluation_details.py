"""What the numbers of an evaluation mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dlcore.engine.keypoint_errors import keypoint_errors
from dlcore.inference.evaluation_details import IdentitySummary, confusion, plain, summarize

LABELS = np.array([[0.0, 0, 2], [100, 0, 2], [0, 50, 2]])  # 100 pixels large


def found(*offsets: float, scores=(0.9, 0.9, 0.9)) -> np.ndarray:
    pose = LABELS.copy()
    pose[:, 1] += offsets
    pose[:, 2] = scores
    return pose[None]


def details_of(predictions, labels, cutoffs=(0.6, 0.6, 0.6), unique=None, **more):
    nothing = [np.zeros((1, 0, 3))] * len(labels)
    once = keypoint_errors(*(unique or (nothing, nothing)), single_animal=True)
    return summarize(
        keypoint_errors(predictions, labels),
        once,
        names=("snout", "ear", "tail"),
        unique_names=("lamp",) if unique else (),
        cutoffs=cutoffs,
        images=[str(number) for number in range(len(labels))],
        **more,
    )


def test_errors_are_told_by_keypoint_and_of_all_together():
    details = details_of(
        [found(3, 6, 12), found(1, 6, 40, scores=(0.9, 0.3, 0.9))], [LABELS[None]] * 2
    )

    snout, ear, tail = details.keypoints
    assert [one.name for one in details.keypoints] == ["snout", "ear", "tail"]
    assert (snout.rmse, ear.rmse, tail.rmse) == (2, 6, 26)
    assert (snout.rmse_pcutoff, ear.rmse_pcutoff) == (2, 6)
    assert (snout.median, tail.median, tail.p75) == (2, 26, 33)
    assert (snout.coverage, ear.coverage) == (100, 50)
    pooled = details.pooled
    assert (pooled.labelled, pooled.predicted) == (6, 6)
    assert pooled.rmse == pytest.approx(68 / 6)
    assert pooled.rmse_pcutoff == pytest.approx(62 / 5)
    assert pooled.coverage == pytest.approx(100 * 5 / 6)
    assert pooled.p90 == pytest.approx(np.percentile([1, 3, 6, 6, 12, 40], 90))


def test_pck_counts_errors_within_a_fraction_of_the_larger_side_of_the_animal():
    details = details_of([found(5, 5.1, 20)], [LABELS[None]])

    snout, ear, tail = details.keypoints
    assert snout.pck == {"0.05": 100, "0.1": 100, "0.2": 100}
    assert ear.pck == {"0.05": 0, "0.1": 100, "0.2": 100}
    assert tail.pck == {"0.05": 0, "0.1": 0, "0.2": 100}
    assert details.pooled.pck["0.1"] == pytest.approx(200 / 3)


def test_a_missed_animal_shows_in_pck_and_coverage_but_not_in_the_mean_error():
    other = LABELS + np.array([1000, 0, 0])

    details = details_of([found(1, 1, 1)], [np.stack([LABELS, other])])

    pooled = details.pooled
    assert pooled.rmse == 1
    assert (pooled.labelled, pooled.predicted) == (6, 3)
    assert pooled.pck["0.2"] == 50
    assert pooled.coverage == 50
    assert details.per_image[0].missed == 1
    assert details.per_image[0].rows == [0, -1]
    assert details.per_image[0].missing == [1]


def test_each_keypoint_has_its_own_cutoff():
    details = details_of(
        [found(1, 2, 3, scores=(0.5, 0.5, 0.5))], [LABELS[None]], cutoffs=(0.4, 0.6, 0.5)
    )

    assert [one.coverage for one in details.keypoints] == [100, 0, 100]
    assert details.pooled.rmse_pcutoff == 2
    assert details.per_image[0].rmse_pcutoff == 2


def test_unique_keypoints_count_in_the_errors_but_have_no_pck():
    lamp, there = np.array([[[5.0, 5, 2]]]), np.array([[[5.0, 9, 0.9]]])

    details = details_of([found(1, 1, 1)], [LABELS[None]], (0.6,) * 4, ([there], [lamp]))

    last = details.keypoints[-1]
    assert (last.name, last.unique, last.rmse) == ("lamp", True, 4)
    assert all(math.isnan(value) for value in last.pck.values())
    assert last.as_plain()["pck"] == {"0.05": None, "0.1": None, "0.2": None}
    assert details.pooled.rmse == pytest.approx(7 / 4)
    assert details.pooled.pck["0.05"] == 100
    assert details.per_image[0].rmse == pytest.approx(7 / 4)
    assert details.per_image[0].labelled == 4


def test_nothing_found_and_nothing_labelled_are_no_numbers():
    nothing = np.zeros((0, 3, 3))

    missed = details_of([nothing], [LABELS[None]]).pooled.as_plain()
    unlabelled = details_of([found(1, 1, 1)], [nothing]).pooled.as_plain()

    assert (missed["labelled"], missed["predicted"], missed["coverage"]) == (3, 0, 0)
    assert missed["rmse"] is None
    assert missed["p95"] is None
    assert missed["pck"]["0.1"] == 0
    assert unlabelled["labelled"] == 0
    assert unlabelled["coverage"] is None


def test_who_was_found_as_whom():
    rows = np.array([[0, 1], [1, 0], [-1, 1]])

    found_as = confusion(rows, [[0, 1], [0, 1], [0]], ("a", "b"))

    assert found_as.confusion == [[1, 1], [1, 1]]
    assert found_as.accuracy == 50
    assert math.isnan(IdentitySummary(["a"], [[0]]).accuracy)


def test_numbers_that_are_none_are_null():
    assert plain(float("nan")) is None
    assert plain(float("inf")) is None
    assert plain(3) == 3
    assert plain("text") == "text"
