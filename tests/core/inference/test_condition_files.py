from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tables

from dlcore import DataError
from dlcore.inference.condition_files import conditions_from_file

NAMES = ("snout", "tail")
NAN = float("nan")


def write_json(folder: Path, content: Any) -> Path:
    path = folder / "conditions.json"
    path.write_text(json.dumps(content))
    return path


def write_h5(folder: Path, values: list[list[float]]) -> Path:
    """A table as an evaluation writes it: two animals, one row per image."""
    levels = [["bottomup"], ["mouse1", "mouse2"], NAMES, ["x", "y", "likelihood"]]
    columns = pd.MultiIndex.from_product(
        levels, names=["scorer", "individuals", "bodyparts", "coords"]
    )
    rows = [("labeled-data", "clip", f"img{i}.png") for i in range(len(values))]
    frame = pd.DataFrame(values, index=pd.MultiIndex.from_tuples(rows), columns=columns)
    path = folder / "conditions.h5"
    frame.to_hdf(path, key="df_with_missing")
    return path


def test_poses_by_image_are_read_from_json(tmp_path: Path) -> None:
    poses = [[[1, 2, 0.9], [3, 4, 0.5]], [[None, None, None], [7, 8, 0.1]], [[0, 0, 0], [1, 1, -1]]]
    path = write_json(
        tmp_path,
        {"C:\\project\\labeled-data\\clip\\img0.png": poses, "/elsewhere/img1.png": []},
    )

    found = conditions_from_file(path, NAMES)

    assert isinstance(found, dict)
    assert list(found) == [("labeled-data", "clip", "img0.png"), ("elsewhere", "img1.png")]
    first, second = found.values()
    expected = np.array([poses[0], [[0, 0, 0], [7, 8, 0.1]]], np.float32)
    assert np.array_equal(first, expected)
    assert second.shape == (0, 2, 3)


def test_poses_by_frame_are_read_from_json(tmp_path: Path) -> None:
    found = conditions_from_file(write_json(tmp_path, [[[[1, 2, 1], [3, 4, 1]]], []]), NAMES)

    assert isinstance(found, list)
    assert [poses.shape for poses in found] == [(1, 2, 3), (0, 2, 3)]


def test_poses_are_read_from_the_table_of_an_evaluation(tmp_path: Path) -> None:
    nobody = [-1.0] * 6
    path = write_h5(tmp_path, [[1, 2, 0.9, NAN, NAN, 0.5, *nobody], [*nobody, *range(1, 7)]])

    found = conditions_from_file(path, ("tail", "snout"))

    assert isinstance(found, dict)
    assert list(found) == [("labeled-data", "clip", f"img{i}.png") for i in range(2)]
    first, second = found.values()
    np.testing.assert_allclose(first, [[[0, 0, 0], [1, 2, 0.9]]])
    np.testing.assert_allclose(second, [[[4, 5, 6], [1, 2, 3]]])


def test_tables_that_deeplabcut_wrote_are_read(shared: Path) -> None:
    folder = shared / "peer/outputs/multi/evaluation-results-pytorch"
    (path,) = folder.rglob("*.h5")
    frame = pd.read_hdf(path)
    assert isinstance(frame, pd.DataFrame)
    names = frame.columns.unique("bodyparts")

    found = conditions_from_file(path, list(names))

    assert isinstance(found, dict)
    assert list(found) == list(frame.index)
    for row, poses in zip(frame.to_numpy(), found.values(), strict=True):
        raw = row.reshape(-1, len(names), 3)
        present = raw[np.nan_to_num(raw[:, :, 2]).max(axis=1) > 0]
        assert np.array_equal(poses, np.nan_to_num(present).clip(min=0))


class Intruder:
    """Its pickle leaves a file behind when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_pickles_in_a_table_are_not_read(tmp_path: Path) -> None:
    path, trace = write_h5(tmp_path, [[1.0] * 12]), tmp_path / "trace"
    with tables.open_file(str(path), "a") as file:
        group = file.root.df_with_missing
        file.remove_node(group, "axis1_level0")
        array = file.create_vlarray(group, "axis1_level0", tables.ObjectAtom())
        array.append(Intruder(trace))
        group._v_attrs.TITLE = np.bytes_(pickle.dumps(Intruder(trace), 0))

    with pytest.raises(DataError, match="cannot be read as a table of predictions"):
        conditions_from_file(path, NAMES)
    assert not trace.exists()
    assert tables.atom.pickle is pickle


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a.png": [[[1, 2, 1]]]}, "poses of 2 keypoints .* those of 'a.png' are not"),
        ([[], [[1, 2]]], "those of 'frame 1' are not"),
        ({"a.png": {"b": 1}}, "those of 'a.png' are not"),
        (3, "must hold a map from images to poses, or a list of frames"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        conditions_from_file(write_json(tmp_path, content), NAMES)


def test_files_that_do_not_serve_are_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")
    empty = tmp_path / "empty.h5"
    empty.write_text("")
    video = tmp_path / "video.h5"
    frames = pd.DataFrame({("a", "b", "c", "x"): [1.0], ("a", "b", "c", "y"): [1.0]})
    frames.to_hdf(video, key="tracks", format="table")

    for path, message in [
        (tmp_path / "poses.csv", r"must be a .json or .h5 file, got"),
        (tmp_path / "nowhere.json", "cannot be read: No such file"),
        (tmp_path / "nowhere.h5", "cannot be read: there is no such file"),
        (damaged, "is no JSON file"),
        (empty, r"cannot be read as a table .*; use the .h5 of an evaluation"),
        (video, r"cannot be read as a table of predictions for images"),
    ]:
        with pytest.raises(DataError, match=message):
            conditions_from_file(path, NAMES)
    path = write_h5(tmp_path, [[1.0] * 12])
    with pytest.raises(DataError, match="has no predictions of 'ear'; the model that made it"):
        conditions_from_file(path, ("snout", "ear"))
