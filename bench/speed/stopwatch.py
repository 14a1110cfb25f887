"""How long one call takes: by the clock on a CPU, by the device's own events on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable

AHEAD_BYTES, AHEAD = 2**28, 16  # by the data sheet of an H200 about 1 ms of filling; not measured


def by_clock(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of `call` by the host's clock: for work that is done when it returns."""
    start = clock()
    result = call()
    seconds = clock() - start
    del result
    return seconds


class ByEvents:
    """Seconds of a call on a CUDA device, between two events on the current stream.

    The device is given other work first, so that what Python needs to queue the call is hidden behind it, as it is in
    a network that keeps the device busy. A call that takes longer to queue than that work (a loop over many steps)
    lets the device wait, and that counts. The work overwrites the device's caches, so nobody finds inputs there.
    """

    def __init__(self, device: str = "cuda") -> None:
        import torch

        self._ahead = torch.empty(AHEAD_BYTES // 4, device=device)

    def __call__(self, call: Callable[[], object]) -> float:
        import torch

        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        for _ in range(AHEAD):
            self._ahead.fill_(1.0)
        start.record()
        result = call()
        end.record()
        end.synchronize()
        del result
        return start.elapsed_time(end) / 1e3  # from ms


def of(device: str) -> Callable[[Callable[[], object]], float]:
    """The stopwatch for calls that compute on `device`."""
    return by_clock if device == "cpu" else ByEvents(device)


class Noted:
    """A call that notes in `seconds` how long the host is busy with it, whatever the device does meanwhile."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self.seconds: list[float] = []

    def __call__(self) -> object:
        start = time.perf_counter()
        result = self._call()
        self.seconds.append(time.perf_counter() - start)
        return result
