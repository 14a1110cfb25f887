"""Reading HDF5 files of others, whose damage is said in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from tasks.errors import DataDamaged


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file for reading; DataDamaged where it is no HDF5 file."""
    try:
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise
    except OSError as problem:
        raise DataDamaged(path, "byte 0", f"it cannot be opened as HDF5 ({problem})") from None
    with file:
        yield file


def read(file: h5py.File, name: str, path: Path) -> Any:
    """The array that lies in `file` under `name`; DataDamaged where there is none, or where it cannot be read."""
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise DataDamaged(path, f"entry {name!r}", "there is no such data set")
    try:
        return found[()]
    except OSError as problem:
        raise DataDamaged(path, f"entry {name!r}", f"it cannot be read ({problem})") from None
