"""The idx format of MNIST: two zero bytes, a type, the number of dimensions, their big-endian sizes, the values."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from tasks.errors import DataDamaged

UNSIGNED_BYTE = 0x08


def content(path: Path) -> bytes:
    """The bytes of a raw or gzip-compressed file. Raises DataDamaged for a broken archive."""
    if path.suffix != ".gz":
        return path.read_bytes()
    with open(path, "rb") as file:
        try:
            return gzip.GzipFile(fileobj=file).read()
        except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
            raise DataDamaged(path, f"byte {file.tell()} (compressed)", str(problem)) from None


def parse(data: bytes, path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """The uint8 array of an idx file; `shape` says what its dimensions must be, None for any size.

    Byte offsets in errors count from the start of the uncompressed file.
    """
    dimensions = len(shape)
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if data[:4] != magic:
        raise DataDamaged(path, "byte 0", f"the file begins with {data[:4].hex() or 'nothing'}, not with {magic.hex()}")
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DataDamaged(path, f"byte {len(data)}", f"the header of {start} bytes is cut off")
    sizes = tuple(int(size) for size in np.frombuffer(data, ">u4", dimensions, 4))
    for axis, (size, wanted) in enumerate(zip(sizes, shape, strict=True)):
        if wanted is not None and size != wanted:
            raise DataDamaged(path, f"byte {4 + 4 * axis}", f"dimension {axis} is {size}, not {wanted}")
    values = int(np.prod(sizes, dtype=object))
    if len(data) != start + values:
        where = min(len(data), start + values)
        raise DataDamaged(path, f"byte {where}", f"{len(data) - start:,} values where the header announces {values:,}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(sizes)
