"""Memory of one forward and backward pass. A process per contender and meter, so that none sees another's leftovers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import contenders, meters, race
from .inputs import currents
from .job import Job, Measured

if TYPE_CHECKING:
    from .child import Emitter

STAGES = ("live", "process")
SMALL = (4, 256)  # warm-up: libraries load their code before the meter starts


def measure(job: Job, emitter: Emitter) -> None:
    """Stage "live": `saved_bytes` and `live_bytes` per element; stage "process": `process_bytes` per element.

    All beyond input and output gradient, which exist before the call; the input's gradient is counted.
    """
    (name,) = job.contenders
    for steps, width in job.shapes:
        emitter.note(f"{job.neuron} {steps}x{width} {name}: memory, {job.stage}")
        result = Measured(name, name, {"T": steps, "N": width})
        race.attempt(result, lambda s=steps, w=width, r=result: _meter(job, name, s, w, r))  # type: ignore[misc]
        emitter.measured(result)


def _meter(job: Job, name: str, steps: int, width: int, result: Measured) -> None:
    from neurons.backends.fused import pool

    contender = contenders.build(name, job.neuron, job.options, job.device, steps)
    result.backend, result.differs = contender.backend, contender.differs
    contender.require(currents(SMALL, job.dtype, job.device)[0])
    warm_x, warm_grad = currents((steps, width) if contender.shape_bound else SMALL, job.dtype, job.device)
    contender.call(warm_x.requires_grad_(True)).backward(warm_grad)
    del warm_x, warm_grad
    pool.clear()  # what the warm-up left there would come for nothing
    x, grad = currents((steps, width), job.dtype, job.device)
    x.requires_grad_(True)
    for parameter in contender.parameters.values():
        parameter.grad = None

    def training() -> None:
        contender.call(x).backward(grad)

    if job.stage == "live":
        peak = meters.live_peak(training, job.device)
        x.grad = None
        kept = meters.saved(lambda: contender.call(x), (x, *contender.parameters.values()))
        result.metrics += [
            ("saved_bytes", kept / x.numel(), "B"),
            ("live_bytes", peak / x.numel(), "B"),
            ("live_peak", float(peak), "B"),
        ]
    else:
        most = meters.process_peak(training) if job.device == "cpu" else None
        result.peak_memory = most
        result.metrics += [
            ("process_bytes", None if most is None else most / x.numel(), "B"),
            ("process_peak", None if most is None else float(most), "B"),
        ]
