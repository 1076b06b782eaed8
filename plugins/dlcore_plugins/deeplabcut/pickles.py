"""Read pickles of plain values. A pickle can run any code; these can only hold data.

DeepLabCut stores the split of a shuffle as a pickle of lists, numbers and numpy arrays, and label
tables may hold pickles too. What numpy needs for its arrays is rebuilt here from bytes, so that
nothing in a file chooses what is called.
"""

from __future__ import annotations

import codecs
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dlcore import DataError

_Array = npt.NDArray[Any]


class RefusedClassError(pickle.UnpicklingError):
    """A pickle asks for something that is not plain data."""


def load_plain(path: Path) -> Any:
    """What a pickle file holds: built-in containers, text, numbers, numpy arrays and scalars.

    Raises:
        DataError: If the file is missing, damaged, or holds anything else.
    """
    try:
        return loads_plain(path.read_bytes())
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    except RefusedClassError as error:
        raise DataError(
            f"{str(path)!r} is refused: it asks for {str(error)!r}, and only plain values and "
            f"numpy arrays are read; make the file again if you trust its origin"
        ) from error
    except Exception as error:
        raise DataError(
            f"{str(path)!r} is damaged ({type(error).__name__}: {error}); "
            f"make it again, for example with DeepLabCut's create_training_dataset"
        ) from error


def loads_plain(data: bytes, encoding: str = "latin1") -> Any:
    """What a pickle in memory holds.

    Args:
        data: The pickle.
        encoding: How text that Python 2 wrote is read; numpy's arrays in such files need latin1.

    Raises:
        RefusedClassError: If it asks for anything but plain data; the message is the name.
    """
    return _PlainUnpickler(io.BytesIO(data), encoding=encoding).load()


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        where = module.replace("numpy._core", "numpy.core").replace("__builtin__", "builtins")
        try:
            return _ALLOWED[where, name]
        except KeyError:
            raise RefusedClassError(f"{module}.{name}") from None


class _ArrayType:
    """Stands for `numpy.ndarray`, whose constructor could be pointed at any memory."""


def _reconstruct(subtype: object, shape: tuple[int, ...], code: object) -> _Array:
    return np.empty(0, dtype=np.uint8)  # filled by the state that follows


def _scalar(dtype: np.dtype[Any], data: bytes | str = b"") -> Any:
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype=dtype)[0]


def _frombuffer(
    buffer: Any,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    order: Literal["C", "F"],
    axes: tuple[int, ...] | None = None,
) -> _Array:
    flat: _Array = np.frombuffer(buffer, dtype=dtype)
    shaped: _Array = flat.reshape(shape, order=order if axes is None else "C")
    return shaped if axes is None else shaped.transpose(axes)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How old protocols write bytes."""
    if codecs.lookup(encoding).name != "iso8859-1":
        raise RefusedClassError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How old protocols write bytes that are empty."""
    return b""


_ALLOWED: dict[tuple[str, str], type | Callable[..., Any]] = {
    ("numpy", "dtype"): np.dtype,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _no_bytes,
    ("builtins", "complex"): complex,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
}
