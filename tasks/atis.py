"""The address events of N-MNIST and N-Caltech101: 5 bytes each, x, y, then one bit of polarity and 23 of time (us)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.checks import check_pixels
from tasks.errors import DataDamaged

EVENT_BYTES = 5


def read(path: Path, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times (us, int64), x, y and polarity (1 = ON) of a recording; `side` is that of the square sensor.

    Events come in the order of the file; a time that goes back matters only to who cuts by time (`tasks.frames`).
    Raises DataDamaged for an empty file, half an event or a pixel off the sensor.
    """
    data = np.fromfile(path, np.uint8)
    whole = len(data) - len(data) % EVENT_BYTES
    if whole == 0 or whole != len(data):
        raise DataDamaged(path, f"byte {whole}", f"{len(data)} bytes are no whole number of 5-byte events")
    x, y, high, middle, low = data.reshape(-1, EVENT_BYTES).T
    t = (high & 0x7F).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low
    check_pixels(path, x, y, side, lambda i: EVENT_BYTES * i)
    return t, x, y, high >> 7
