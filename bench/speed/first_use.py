"""What the first call costs: tracing and compiling with empty caches, and loading from filled ones.

Each contender has two processes of its own with one cache folder: stage "fresh", then stage "cached".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import contenders, race
from .inputs import currents
from .job import Job, Measured

if TYPE_CHECKING:
    from .child import Emitter

STEADY = 3  # calls after the first, whose fastest is the cost without first use


def measure(job: Job, emitter: Emitter) -> None:
    """Times the first forward and backward of the job's one contender in this process.

    Metrics, each less a later call's time: `first_use_seconds` and, for a second shape after the first,
    `new_size_seconds` (stage "fresh"); `cached_seconds` (stage "cached").
    """
    (name,) = job.contenders
    _warm_up(job)
    steps, width = job.shapes[0]
    result = Measured(name, name, {"T": steps, "N": width})
    emitter.note(f"{job.neuron} {name}: first use, {job.stage}")

    def run() -> None:
        contender = contenders.build(name, job.neuron, job.options, job.device, steps)
        result.backend, result.differs = contender.backend, contender.differs
        metrics = ("first_use_seconds", "new_size_seconds") if job.stage == "fresh" else ("cached_seconds",)
        for metric, (t, n) in zip(metrics, job.shapes, strict=False):
            result.metrics.append((metric, _beyond_steady(contender, t, n, job), "s"))

    race.attempt(result, run)
    emitter.measured(result)


def _warm_up(job: Job) -> None:
    """PyTorch's own first use is nobody's cost: the eager reference pays it."""
    x, grad = currents((2, 8), job.dtype, job.device)
    reference = contenders.build(contenders.REFERENCE, job.neuron, job.options, job.device, 2)
    reference.call(x.requires_grad_(True)).backward(grad)


def _beyond_steady(contender: contenders.Contender, steps: int, width: int, job: Job) -> float:
    x, grad = currents((steps, width), job.dtype, job.device)
    x.requires_grad_(True)
    wait = race.synchronizer(job.device)

    def once() -> float:
        x.grad = None
        start = time.perf_counter()
        contender.call(x).backward(grad)
        wait()
        return time.perf_counter() - start

    first = once()
    return max(0.0, first - min(once() for _ in range(STEADY)))
