"""Joules of an NVIDIA board, measured by its own counter (NVML) around work that is repeated for some seconds.

The counter is that of the whole board, of all that runs on it, and moves about ten times a second. It is no estimate
of what another chip would need, and stands in no column with one.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LIBRARY = "libnvidia-ml.so.1"
WINDOW, IDLE = 5.0, 2.0  # seconds of work and of rest; the counter moves every 0.1
OLD = 3  # NVML_ERROR_NOT_SUPPORTED: boards before Volta, and parts of a board (MIG)


class Unmeasurable(Exception):
    """Why there are no joules, in words."""


@dataclass(frozen=True)
class Energy:
    """What the board took while work ran `times` times, in joules and seconds, and its power at rest in watts."""

    joules: float
    seconds: float
    times: int
    idle: float


class Board:
    """The board with this UUID, as `library` (a ctypes library, NVML unless given) knows it. Raises Unmeasurable."""

    def __init__(self, uuid: str, library: Any = None) -> None:
        self.library = _loaded() if library is None else library
        self._ask("nvmlInit_v2")
        self.handle = ctypes.c_void_p()
        name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        self._ask("nvmlDeviceGetHandleByUUID", name.encode(), ctypes.byref(self.handle))

    def joules(self) -> float:
        """The counter, since the driver was loaded."""
        value = ctypes.c_ulonglong()
        self._ask("nvmlDeviceGetTotalEnergyConsumption", self.handle, ctypes.byref(value))
        return value.value / 1000

    def _ask(self, function: str, *args: Any) -> None:
        try:
            status = getattr(self.library, function)(*args)
        except AttributeError:
            raise Unmeasurable(f"this NVML has no {function}") from None
        if status == OLD:
            raise Unmeasurable("this board, or part of a board, has no counter of energy")
        if status:
            raise Unmeasurable(f"NVML answered {function} with error {status}")


def _loaded() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        raise Unmeasurable(f"NVML is not here: {LIBRARY} cannot be loaded") from None


def measured(
    work: Callable[[], object],
    board: Board,
    *,
    wait: Callable[[], object],
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> Energy:
    """The energy of `work`, which is run once before and then again and again for WINDOW seconds; `wait` returns when
    the device has done all that it was given. Raises Unmeasurable."""
    work()
    wait()
    before, start = board.joules(), clock()
    sleep(IDLE)
    idle = (board.joules() - before) / (clock() - start)
    times = 0
    before, start = board.joules(), clock()
    while clock() - start < WINDOW:
        work()
        wait()
        times += 1
    return Energy(board.joules() - before, clock() - start, times, idle)
