"""The check that the readers of event files share.

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
