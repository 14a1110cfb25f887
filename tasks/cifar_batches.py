"""The pickled batches of CIFAR-10 and CIFAR-100, read by an unpickler of arrays, strings and plain containers only."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataDamaged

# The function that NumPy's own pickles name for building an array; it has no public name.
_reconstruct = np.empty(0).__reduce__()[0]

# What NumPy and Python 2 strings leave in such a pickle, under the names of NumPy 1 and 2.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("_codecs", "encode"): lambda text, encoding="latin1": text.encode(encoding),
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which image data has no use for") from None


def unpickle(data: bytes, path: Path) -> Any:
    """The object in a pickle of arrays, strings, numbers and containers; Python 2 strings come as bytes.

    Raises DataDamaged, naming the byte that was reached, for a broken pickle and for one that asks for anything else.
    """
    stream = io.BytesIO(data)
    try:
        value = _Unpickler(stream, encoding="bytes").load()
    # A damaged pickle can make the interpreter of its opcodes fail in any way.
    except Exception as problem:
        raise DataDamaged(path, f"byte {stream.tell()}", str(problem) or type(problem).__name__) from None
    if rest := len(data) - stream.tell():
        raise DataDamaged(path, f"byte {stream.tell()}", f"{rest} bytes follow the end of the pickle")
    return value


def parse(data: bytes, path: Path, *, key: bytes, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `[N, 3, 32, 32]` (uint8) and labels `[N]` (int64) of one batch; `key` names the labels in it.

    Keys are bytes, as Python 2 left them, or text, in batches that were written anew.
    """
    batch = unpickle(data, path)
    if isinstance(batch, dict):
        batch = {name.encode() if isinstance(name, str) else name: value for name, value in batch.items()}
    if not isinstance(batch, dict) or not {b"data", key} <= batch.keys():
        raise DataDamaged(path, "its top level", f"no dictionary with the keys data and {key.decode()}")
    pixels, labels = batch[b"data"], batch[key]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise DataDamaged(path, "its key data", "no uint8 array of 3,072 columns")
    if len(pixels) == 0:
        raise DataDamaged(path, "its key data", "no images")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        count = f"{len(labels):,}" if isinstance(labels, list) else "no list of"
        raise DataDamaged(path, f"its key {key.decode()}", f"{count} labels for {len(pixels):,} images")
    for record, label in enumerate(labels):
        if not isinstance(label, int) or not 0 <= label < classes:
            raise DataDamaged(path, f"record {record}", f"label {label!r} is not one of 0 to {classes - 1}")
    return pixels.reshape(-1, 3, 32, 32), np.array(labels, np.int64)
