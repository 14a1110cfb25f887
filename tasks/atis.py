"""The address events of N-MNIST and N-Caltech101: 5 bytes each, x, y, then one bit of polarity and 23 of time (us).

An event at y = 240, where these sensors have no row, is none: it marks that the clock ran over, and all times from
there on are 2^13 us later.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.checks import check_pixels
from tasks.errors import DataDamaged

EVENT_BYTES = 5
OVERFLOW_ROW, OVERFLOW_US = 240, 1 << 13


def read(path: Path, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Times (us, int64), x, y and polarity (1 = ON) of a recording; `side` is that of the square sensor.

    Events come in the order of the file; a time that goes back matters only to who cuts by time (`tasks.frames`).
    Raises DataDamaged for a file without events, half an event or a pixel off the sensor.
    """
    data = np.fromfile(path, np.uint8)
    whole = len(data) - len(data) % EVENT_BYTES
    if whole == 0 or whole != len(data):
        raise DataDamaged(path, f"byte {whole}", f"{len(data)} bytes are no whole number of 5-byte events")
    x, y, high, middle, low = data.reshape(-1, EVENT_BYTES).T
    t = (high & 0x7F).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low
    overflow = y == OVERFLOW_ROW
    t += OVERFLOW_US * np.cumsum(overflow)
    events = np.flatnonzero(~overflow)
    if not len(events):
        raise DataDamaged(path, f"byte {whole}", "no events, only overflows of the clock")
    x, y = x[events], y[events]
    check_pixels(path, x, y, side, lambda i: EVENT_BYTES * int(events[i]))
    return t[events], x, y, high[events] >> 7
