"""Checks shared by the readers of event files.

The readers of this room are NumPy views of the bytes and not those of SpikingJelly or tonic, because an error must name
the file and the byte; the tests compare them with SpikingJelly's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tasks.errors import DataDamaged


def check_pixels(path: Path, x: np.ndarray, y: np.ndarray, side: int, offset: Callable[[int], int]) -> None:
    """Raise DataDamaged unless every pixel lies on a sensor of side x side; event i begins at byte `offset(i)`."""
    outside = np.flatnonzero((x >= side) | (y >= side))
    if len(outside):
        i = int(outside[0])
        raise DataDamaged(path, f"byte {offset(i)}", f"pixel ({x[i]}, {y[i]}) on a sensor of {side} x {side}")


def check_times(path: Path, t: np.ndarray, offset: Callable[[int], int]) -> None:
    """Raise DataDamaged where a time goes back; event i begins at byte `offset(i)`."""
    back = np.flatnonzero(t[1:] < t[:-1])
    if len(back):
        i = int(back[0]) + 1
        raise DataDamaged(path, f"byte {offset(i)}", f"time {t[i]} us after {t[i - 1]} us")
