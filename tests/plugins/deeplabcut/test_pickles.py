"""Pickles of plain values are read; pickles that could do anything are not."""

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from dlcore import DataError
from dlcore_plugins.deeplabcut.pickles import RefusedClassError, load_plain, loads_plain

VALUES = {
    "containers": [{"a": (1, 2.5, None, True, b"raw")}, {"s", "t"}, frozenset({1}), 1 + 2j],
    "integers": np.arange(5),
    "floats": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "transposed": np.arange(24).reshape(2, 3, 4).transpose(1, 2, 0),
    "empty": np.zeros((0, 3)),
    "scalars": [np.float64(0.95), np.int32(-1), np.bool_(True)],
    "objects": np.array([None, "a", 1.5, (2, 3)], dtype=object),
    "text": np.array(["labeled-data", "vid1"]),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", VALUES)
def test_plain_values_and_arrays_come_back_in_every_protocol(name, protocol):
    loaded = loads_plain(pickle.dumps(VALUES[name], protocol))

    np.testing.assert_equal(loaded, VALUES[name])
    if isinstance(VALUES[name], np.ndarray):
        assert loaded.dtype == VALUES[name].dtype


def test_names_of_the_older_numpy_are_known():
    pickled = pickle.dumps(np.arange(3), protocol=2).replace(b"numpy._core", b"numpy.core")

    np.testing.assert_equal(loads_plain(pickled), np.arange(3))


def test_arrays_that_python_2_wrote_are_read():
    pickled = (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\n"
        b"tp4\nRp5\n(I1\n(I2\ntp6\ncnumpy\ndtype\np7\n(S'i2'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'<'\n"
        b"p11\nNNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x05\\x00\\xff\\xff'\np13\ntp14\nb."
    )

    np.testing.assert_equal(loads_plain(pickled), np.array([5, -1], dtype=np.int16))


class Attack:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Attack(os.system, "touch attacked"), "system"),
        (Attack(eval, "1"), "builtins.eval"),
        (Attack(getattr, "a", "upper"), "builtins.getattr"),
        (Attack(np.fromfile, "a"), "numpy.fromfile"),
        (OrderedDict(a=1), "collections.OrderedDict"),
        (Path("a"), "Path"),
    ],
)
def test_anything_else_is_refused_by_name_and_not_called(value, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "split.pickle").write_bytes(pickle.dumps(value))

    with pytest.raises(DataError, match=r"split\.pickle' is refused: it asks for .*" + name):
        load_plain(tmp_path / "split.pickle")

    assert not (tmp_path / "attacked").exists()


def test_bytes_can_only_be_made_from_latin1():
    import codecs

    with pytest.raises(RefusedClassError, match="rot13"):
        loads_plain(pickle.dumps(Attack(codecs.encode, "a", "rot13")))


def test_the_array_type_itself_makes_no_arrays():
    with pytest.raises(TypeError):
        loads_plain(pickle.dumps(Attack(np.ndarray, (1,))))


@pytest.mark.parametrize("content", [b"", b"\x80", b"not a pickle", b"\x80\x05]\x94(K\x01"])
def test_a_damaged_file_is_named(content, tmp_path):
    (tmp_path / "split.pickle").write_bytes(content)

    with pytest.raises(DataError, match=r"split\.pickle' is damaged .*create_training_dataset"):
        load_plain(tmp_path / "split.pickle")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.pickle' cannot be read: No such file"):
        load_plain(tmp_path / "none.pickle")
