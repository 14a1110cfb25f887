"""The pickled batches of CIFAR-10 and CIFAR-100."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tasks.errors import DataDamaged, shown
from tasks.pickles import PickledArray, PickledDtype, unpickle

PIXELS = 3 * 32 * 32


def parse(data: bytes, path: Path, *, key: bytes, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `[N, 3, 32, 32]` (uint8) and labels `[N]` (int64) of one batch; `key` names the labels in it.

    Keys are bytes, as Python 2 left them, or text, in batches that were written anew.
    """
    batch = unpickle(data, path)
    found = batch if isinstance(batch, dict) else {}
    names = [next((form for form in (name, name.decode()) if form in found), None) for name in (b"data", key)]
    if None in names:
        raise DataDamaged(path, "its top level", f"no dictionary with the keys data and {key.decode()}")
    array, labels = (found[name] for name in names)
    pixels = _pixels(array, path)
    if len(pixels) == 0:
        raise DataDamaged(path, "its key data", "no images")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        count = f"{len(labels):,}" if isinstance(labels, list) else "no list of"
        raise DataDamaged(path, f"its key {key.decode()}", f"{count} labels for {len(pixels):,} images")
    for record, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < classes:
            raise DataDamaged(path, f"record {record}", f"label {shown(label)} is not one of 0 to {classes - 1}")
    return pixels.reshape(-1, 3, 32, 32), np.array(labels, np.int64)


def _pixels(array: Any, path: Path) -> np.ndarray:
    """The uint8 array `[N, 3072]` as the file describes it; its size is believed when the bytes are there."""
    if not _is_uint8(array):
        raise DataDamaged(path, "its key data", f"no uint8 array of {PIXELS:,} columns")
    shape, content = array.shape, array.content
    images = shape[0]
    if type(content) is not bytes or len(content) != images * PIXELS:
        held = f"{len(content):,}" if type(content) is bytes else "no"
        raise DataDamaged(path, "its key data", f"{held} bytes for {shown(images)} images of {PIXELS:,} bytes")
    return np.frombuffer(content, np.uint8).reshape(shape, order="F" if array.fortran else "C")


def _is_uint8(array: Any) -> bool:
    """Whether it says to be a uint8 array of whole images."""
    if not isinstance(array, PickledArray) or not isinstance(array.dtype, PickledDtype):
        return False
    shape = array.shape
    whole = type(shape) is tuple and len(shape) == 2 and all(type(size) is int and size >= 0 for size in shape)
    return whole and shape[1] == PIXELS and array.dtype.plain and array.dtype.code in ("u1", "|u1", "B", "uint8")
