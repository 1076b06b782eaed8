"""Which columns become which keypoints of which individual."""

from pathlib import Path

import numpy as np
import pytest

from dlcore import DataError
from dlcore.interfaces import PoseTask
from dlcore_plugins.deeplabcut.labels import pick_labels, task_of
from dlcore_plugins.deeplabcut.project import Project
from dlcore_plugins.deeplabcut.tables import LabelTable
from tests.plugins.deeplabcut.projects import label_frame, multi_config, places, write_config


def table_of(frame):
    columns = tuple(c if len(c) == 4 else (c[0], "", *c[1:]) for c in frame.columns)
    return LabelTable(Path("labels.h5"), tuple(frame.index), columns, frame.to_numpy())


MULTI = label_frame(("m1", "m2", "m3"), ("lamp", "door"))


def test_names_come_from_the_project_where_the_config_has_none(tmp_path):
    write_config(tmp_path, **multi_config(["m1", "m2"], ["lamp"]), identity=True)

    task = task_of(Project.read(tmp_path), {"individuals": ["individual_1"]})

    assert task == PoseTask(
        keypoints=("snout", "leftear", "rightear"),
        unique_keypoints=("lamp",),
        individuals=("m1", "m2"),
        with_identity=True,
        skeleton=((0, 1),),
        symmetries=((1, 2),),
    )


def test_names_of_the_config_win_and_order_the_channels(tmp_path):
    write_config(tmp_path, **multi_config(["m1", "m2"], ["lamp"]), identity=True)
    metadata = {
        "bodyparts": ["rightear", "snout", "leftear"],
        "unique_bodyparts": [],
        "individuals": ["m2", "m1"],
        "with_identity": False,
    }

    task = task_of(Project.read(tmp_path), metadata)

    assert task == PoseTask(
        keypoints=("rightear", "snout", "leftear"),
        individuals=("m2", "m1"),
        skeleton=((1, 2),),
        symmetries=((0, 2),),
    )


def test_keypoints_follow_the_task(tmp_path):
    task = PoseTask(("rightear", "snout"), ("door",), ("m3", "m1", "m2"))

    labels = pick_labels(table_of(MULTI), task)

    assert labels.individual_ids.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(labels.keypoints[:, 2, 0], places(MULTI, "m3", "rightear"))
    np.testing.assert_array_equal(labels.keypoints[:, 0, 1], places(MULTI, "m1", "snout"))
    np.testing.assert_array_equal(labels.unique_keypoints[:, 0], places(MULTI, "single", "door"))


@pytest.mark.parametrize("name", ["individual_1", "animal", "Fido"])
def test_a_single_individual_may_have_any_name(name):
    single = table_of(label_frame())
    several = table_of(label_frame(("mouse",)))

    for table in (single, several):
        labels = pick_labels(table, PoseTask(("snout",), individuals=(name,)))
        assert labels.keypoints.shape == (6, 1, 1, 2)
        assert labels.individual_ids.tolist() == [0]


def test_individuals_with_quite_other_names_are_matched_by_order():
    task = PoseTask(("snout",), individuals=tuple(f"individual{i}" for i in range(5)))

    assert pick_labels(table_of(MULTI), task).individual_ids.tolist() == [0, 1, 2]


def test_individuals_that_are_never_labelled_need_no_place():
    frame = MULTI.copy()
    frame.loc[:, [c for c in frame.columns if c[1] == "m2"]] = np.nan

    labels = pick_labels(table_of(frame), PoseTask(("snout",), individuals=("m1", "m3")))

    assert labels.keypoints.shape[1] == 2
    np.testing.assert_array_equal(labels.keypoints[:, 1, 0], places(frame, "m3", "snout"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (PoseTask(("snuot",)), r"bodypart 'snuot' has no labels .* did you mean 'snout'\?"),
        (PoseTask(("tail",)), r"bodypart 'tail' has no labels .*; there are: snout, leftear"),
        (PoseTask(("snout",), ("lmap",)), r"unique bodypart 'lmap' .* did you mean 'lamp'\?"),
        (PoseTask(("lamp",)), r"bodypart 'lamp' has no labels"),
        (PoseTask(("snout",)), r"labels 3 individuals \('m1', 'm2', 'm3'\), .* place for 1"),
        (
            PoseTask(("snout",), individuals=("m1", "m2", "n3")),
            r"individual 'm3' of .* is not among metadata\.individuals",
        ),
    ],
)
def test_labels_that_contradict_the_config_are_an_error(task, message):
    with pytest.raises(DataError, match=message):
        pick_labels(table_of(MULTI), task)
