"""Pickles and files written by `torch.save`, read without torch and without running what a pickle may hold.

Lists, tuples, dicts, text, numbers, numpy arrays and (in the zip format, PyTorch 1.6 and later) CPU tensors as numpy
arrays; anything else is refused, as `torch.load(weights_only=True)` does.
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import UsageError
from .reading import damaged

_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}
_NUMPY = {"_reconstruct": np.empty(0).__reduce__()[0], "scalar": np.float64(0).__reduce__()[0]}  # numpy 1 and 2


def read_torch_file(path: Path, expected: str) -> Any:
    """The value of a file that `torch.save` wrote, or of a plain pickle.

    Args:
        path: the file.
        expected: what it should be, for errors.

    Raises:
        UsageError: missing, damaged, or it holds something else than plain values, arrays and tensors.
    """
    hint = "; write it as JSON where it was made: json.dump([list(map(str, row)) for row in torch.load(FILE)], file)"
    return _read(path, "a torch file", expected, hint)


def read_plain_pickle(path: Path, expected: str) -> Any:
    """The value of a pickle that holds plain values or arrays only. Pickles of Python 2 hold bytes for text.

    Raises:
        UsageError: missing, no pickle, or one that names another class or function.
    """
    return _read(path, "a pickle", expected, "")


def _read(path: Path, kind: str, expected: str, hint: str) -> Any:
    try:
        if zipfile.is_zipfile(path):
            return _zipped(path)
        with path.open("rb") as file:
            return _legacy(file)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected {expected}") from None
    except Exception as error:  # what a damaged pickle raises is not bounded by the library
        what = f"not {kind} of plain values ({type(error).__name__}: {error})"
        raise damaged(path, what, expected + hint) from None


class _Plain(pickle.Unpickler):
    """Makes plain values, arrays, and tensors as arrays."""

    def __init__(self, file: Any, storage: Callable[[str], bytes] | None = None) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name in _NUMPY:
            return _NUMPY[name]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        raise pickle.UnpicklingError(f"it names {module}.{name}, which plain values do not need")

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, kind, key, _, count = pid[:5]
        if self._storage is None:
            raise pickle.UnpicklingError("it holds tensors in the format before PyTorch 1.6")
        return np.frombuffer(self._storage(str(key)), dtype=np.dtype(kind), count=int(count))


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """How pickles of protocol 2 write bytes; no other codec is needed."""
    return text.encode("latin1")


def _tensor(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
    index = np.full(size, offset, dtype=np.int64)
    for axis, step in enumerate(stride):
        steps = np.arange(size[axis]) * step
        index = index + steps.reshape([-1 if i == axis else 1 for i in range(len(size))])
    return storage[index]


def _zipped(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        inner = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "data.pkl"]
        if len(inner) != 1:
            raise pickle.UnpicklingError("a zip file without data.pkl")
        folder = inner[0][: -len("data.pkl")]
        return _Plain(io.BytesIO(archive.read(inner[0])), lambda key: archive.read(f"{folder}data/{key}")).load()


def _legacy(file: Any) -> Any:
    first = _Plain(file).load()
    if first != _MAGIC:
        return first  # a plain pickle
    for _ in range(2):  # version of the format, system
        _Plain(file).load()
    return _Plain(file).load()
