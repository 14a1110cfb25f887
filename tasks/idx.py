"""The idx format of MNIST: two zero bytes, a type, the number of dimensions, their big-endian sizes, the values."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from tasks.errors import DataDamaged

UNSIGNED_BYTE = 0x08


def content(path: Path, most: int | None = None) -> bytes:
    """The bytes of a raw or gzip-compressed file, which may be `most` long.

    Raises DataDamaged for a broken archive, and for a longer file before it fills the memory.
    """
    with open(path, "rb") as file:
        try:
            data = (file if path.suffix != ".gz" else gzip.GzipFile(fileobj=file)).read(
                -1 if most is None else most + 1
            )
        except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
            raise DataDamaged(path, f"byte {file.tell()} (compressed)", str(problem)) from None
    if most is not None and len(data) > most:
        raise DataDamaged(path, f"byte {most}", f"it is longer than the {most:,} bytes of the published file")
    return data


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
