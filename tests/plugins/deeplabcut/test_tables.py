"""Label tables from h5 and csv."""

import logging
import pickle

import numpy as np
import pandas as pd
import pytest
import tables

from dlcore import DataError
from dlcore_plugins.deeplabcut.tables import merge, read_csv, read_h5, read_table
from tests.plugins.deeplabcut.projects import label_frame, places, write_table

FRAMES = {
    "single": label_frame(),
    "multi": label_frame(("m1", "m2"), ("lamp",)),
    "windows": label_frame(windows=True),
}
READERS = {"h5": read_h5, "csv": read_csv}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", FRAMES)
def test_both_formats_give_the_same_labels(name, reader, tmp_path):
    frame = FRAMES[name].copy()
    frame.iloc[0, :2] = np.nan
    frame.iloc[1] = np.nan  # an image without labels
    write_table(tmp_path / "labels", frame)

    table = READERS[reader](tmp_path / f"labels.{reader}")

    np.testing.assert_array_equal(table.values, frame.to_numpy())
    assert table.images[3] == ("labeled-data", "vid1", "img003.png")
    assert table.columns[0] == ("me", "m1" if name == "multi" else "", "snout", "x")
    assert table.individuals == (("m1", "m2", "single") if name == "multi" else ("",))


def test_paths_of_another_machine_are_cut(tmp_path):
    frame = label_frame()
    frame.index = pd.Index(
        [f"C:\\data\\p\\labeled-data\\vid1\\{name}" for _, _, name in frame.index]
    )
    write_table(tmp_path / "labels", frame)

    assert read_h5(tmp_path / "labels.h5").images[0] == ("labeled-data", "vid1", "img000.png")


def test_only_the_scorers_coordinates_count(tmp_path):
    frame = pd.concat([label_frame(), label_frame(scorer="other", seed=1)], axis=1)
    frame["me", "snout", "likelihood"] = 0.5
    write_table(tmp_path / "labels", frame)

    table = read_h5(tmp_path / "labels.h5").for_scorer("me")

    np.testing.assert_array_equal(table.values, label_frame().to_numpy())
    with pytest.raises(DataError, match=r"no labels of scorer 'you', only of 'me'; set scorer"):
        table.for_scorer("you")


def test_points_follow_the_names_that_are_asked_for(tmp_path):
    frame = FRAMES["multi"]
    write_table(tmp_path / "labels", frame)
    table = read_h5(tmp_path / "labels.h5")

    points = table.points("m2", ("rightear", "snout", "unknown"))

    np.testing.assert_array_equal(points[:, 0], places(frame, "m2", "rightear"))
    np.testing.assert_array_equal(points[:, 1], places(frame, "m2", "snout"))
    assert np.isnan(points[:, 2]).all()
    assert table.bodyparts("single") == ("lamp",)


def test_csv_is_read_where_h5_is_missing_and_that_is_said(tmp_path, caplog):
    write_table(tmp_path / "labels", FRAMES["single"], formats="csv")

    with caplog.at_level(logging.WARNING, logger="dlcore"):
        table = read_table(tmp_path / "labels")

    assert len(table.images) == 6
    assert "labels.csv: there is no .h5 beside it" in caplog.text


@pytest.mark.parametrize("keep", [0, 10, 700])
def test_csv_is_read_where_h5_is_damaged_and_that_is_said(keep, tmp_path, caplog):
    write_table(tmp_path / "labels", FRAMES["single"])
    h5 = tmp_path / "labels.h5"
    h5.write_bytes(h5.read_bytes()[:keep])

    with caplog.at_level(logging.WARNING, logger="dlcore"):
        table = read_table(tmp_path / "labels")

    assert len(table.images) == 6
    assert "labels.h5 cannot be read" in caplog.text
    assert len(caplog.text.splitlines()) == 1


def test_a_damaged_h5_alone_is_named(tmp_path):
    (tmp_path / "labels.h5").write_bytes(b"nothing")

    with pytest.raises(DataError, match=r"labels\.h5' cannot be read .*no \.csv beside it"):
        read_table(tmp_path / "labels")


def test_an_h5_with_something_else_in_it_is_named(tmp_path):
    pd.Series([1.0]).to_hdf(tmp_path / "labels.h5", key="other", mode="w")

    with pytest.raises(DataError, match=r"labels\.h5' cannot be read"):
        read_table(tmp_path / "labels")


def test_no_table_at_all_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no labels: '.*labels\.h5' and its \.csv are missing"):
        read_table(tmp_path / "labels")


class Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.mark.parametrize("place", ["attribute of the root", "attribute", "object array"])
def test_code_in_an_h5_is_refused_and_not_run(place, tmp_path):
    write_table(tmp_path / "labels", FRAMES["single"])
    attack = Attack(tmp_path / "attacked")
    with tables.open_file(str(tmp_path / "labels.h5"), "a") as file:
        node = file.root.df_with_missing
        if place == "attribute of the root":
            file.root._v_attrs.TITLE = np.bytes_(pickle.dumps(attack, 0))
        elif place == "attribute":
            node._v_attrs.encoding = np.bytes_(pickle.dumps(attack, 0))
        else:
            file.remove_node(node, "axis1_level0")
            array = file.create_vlarray(node, "axis1_level0", tables.ObjectAtom())
            array._v_attrs.kind = "string"
            array._v_attrs.name = "N."
            array.append(attack)

    with pytest.raises(DataError, match=r"labels\.h5' is refused: .*'(io|_io|builtins)\.open'"):
        read_table(tmp_path / "labels")

    assert not (tmp_path / "attacked").exists()


def test_unpickling_is_as_before_after_reading(tmp_path):
    write_table(tmp_path / "labels", FRAMES["single"])
    read_h5(tmp_path / "labels.h5")

    assert tables.atom.pickle is pickle
    assert tables.attributeset.pickle is pickle


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not start with rows for scorer, bodyparts and coords"),
        ("a,b\n1,2\n", "does not start with rows"),
        ("scorer,me,me\nbodyparts,a,a\ncoords,x,y\nimg.png,1,oops\n", "labels.csv:4: .*'oops'"),
        ("scorer,me,me\nbodyparts,a,a\ncoords,x,y\nimg.png,1\n", "labels.csv:4: 2 values expected"),
        ("\0\x01\xff", "labels.csv"),
    ],
)
def test_a_damaged_csv_is_named_with_its_line(text, message, tmp_path):
    (tmp_path / "labels.csv").write_bytes(text.encode("latin1"))

    with pytest.raises(DataError, match=message):
        read_csv(tmp_path / "labels.csv")


def test_tables_of_several_videos_merge_sorted_and_by_column(tmp_path):
    second = label_frame(video="b", bodyparts=("tail", "snout"), seed=2)
    for name, frame in (("a", label_frame(video="c")), ("b", second)):
        write_table(tmp_path / name, frame)

    merged = merge([read_h5(tmp_path / "a.h5"), read_h5(tmp_path / "b.h5")], tmp_path)

    assert list(merged.images) == sorted(merged.images)
    assert merged.images[0][1] == "b"
    snout = merged.points("", ("snout",))[:6, 0]
    np.testing.assert_array_equal(snout, places(second, "snout"))
    assert np.isnan(merged.points("", ("leftear",))[:6]).all()
    assert np.isnan(merged.points("", ("tail",))[6:]).all()
