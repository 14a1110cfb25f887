"""The time an experiment takes, over all the processes that worked on it."""

from __future__ import annotations

import time


class Clock:
    """Runs from when it is made; `before` is what earlier processes spent up to the checkpoint they left."""

    def __init__(self) -> None:
        self.before = 0.0
        self._start = time.perf_counter()

    def seconds(self) -> float:
        """Seconds spent until now, those of earlier processes included."""
        return self.before + time.perf_counter() - self._start
