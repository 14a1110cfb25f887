"""The process in which a job is measured: the job as JSON on standard input, events as JSON lines on standard output.

Events: {"note": text} for the progress line, {"measured": document of a Measured}.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from .job import Job, Measured

MODULES = {
    "speed": "bench.speed.layer",
    "first-use": "bench.speed.first_use",
    "memory": "bench.speed.memory",
    "roofline": "bench.speed.roofline",
    "frontier": "bench.speed.frontier",
    "linear": "bench.speed.linear",
    "network": "bench.speed.network",
    "step": "bench.speed.step",
    "inference": "bench.speed.inference",
    "psn": "bench.speed.parallel",
    "adding": "bench.speed.updates",
    "s-mnist": "bench.speed.updates",
    "ttfs": "bench.speed.spike_times",
    "first-spike": "bench.speed.layer",
    "first-spike-network": "bench.speed.first_spike_network",
}
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h


class Emitter:
    """Sends events to the parent."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def note(self, text: str) -> None:
        self._send({"note": text})

    def measured(self, result: Measured) -> None:
        self._send({"measured": result.document()})

    def _send(self, event: dict[str, Any]) -> None:
        self._write(json.dumps(event) + "\n")


def keep_freed_memory() -> None:
    """Makes glibc's malloc keep what is freed. OSError where the C library has no such switch."""
    libc = ctypes.CDLL(None)
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1))
    if not hasattr(libc, "mallopt") or not all(libc.mallopt(*setting) for setting in settings):
        raise OSError("this C library cannot be told to keep freed memory")


def main() -> None:
    job = Job.of(json.loads(sys.stdin.read()))
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not end up among the events
    if job.allocator == "kept":
        keep_freed_memory()
    import torch

    torch.set_num_threads(job.threads)
    if job.device == "cuda":
        # Convolutions would round to TF32's 10 bits, which is coarser than what results are checked to.
        torch.backends.cudnn.allow_tf32 = False
    torch.manual_seed(0)
    importlib.import_module(MODULES[job.what]).measure(job, Emitter(events.write))
    events.flush()


if __name__ == "__main__":
    main()
