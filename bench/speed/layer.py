"""Speed of one neuron's layer: all contenders at each size, both directions, interleaved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import contenders, gate, meters, race
from .contenders import Contender
from .inputs import currents
from .job import Job, Measured
from .traffic import must_move

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter


def measure(job: Job, emitter: Emitter) -> None:
    """Times every contender of `job` at each of its shapes, after its spikes and gradients were found right."""
    for steps, width in job.shapes:
        _at(job, steps, width, emitter)


def _at(job: Job, steps: int, width: int, emitter: Emitter) -> None:
    x, grad = currents((steps, width), job.dtype, job.device)
    label = f"{job.neuron} {steps}x{width}"
    fit, failed = prepare(job, x, grad, emitter, label)
    for result in failed:
        emitter.measured(result)
    if not fit:
        return
    x.requires_grad_(True)
    leanest = fit.get(contenders.FUSED)
    kept = None if leanest is None else meters.saved(lambda: leanest.call(x), (x,)) / x.numel()
    size = {way: count * x.numel() for way, count in must_move(x.element_size(), kept).items()}
    entries = {
        race.COPY: race.copies(size, job.device),
        **{name: race.trials(c.call, x, grad, list(c.parameters.values())) for name, c in fit.items()},
    }
    started = time.perf_counter()
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    spent = time.perf_counter() - started
    for name in entries:
        result = Measured(name, name, {"T": steps, "N": width}, seconds=spent, surroundings=surroundings)
        if name == race.COPY:
            result.metrics += [(f"{way}_bytes", count, "B") for way, count in size.items()]
        else:
            result.backend, result.differs = fit[name].backend, fit[name].differs
        race.figures(result, times, job.base)
        emitter.measured(result)


def prepare(
    job: Job, x: Tensor, grad: Tensor, emitter: Emitter, label: str
) -> tuple[dict[str, Contender], list[Measured]]:
    """The contenders that run and are right on `x`, warmed up, and the outcomes of the others."""
    import torch

    steps, width = x.shape[0], x[0].numel()
    reference = None
    fit: dict[str, Contender] = {}
    failed: list[Measured] = []
    for name in dict.fromkeys([contenders.REFERENCE, *job.contenders]):
        emitter.note(f"{label} · {name}: checking")
        result = Measured(name, name, {"T": steps, "N": width})

        def check(name: str = name, result: Measured = result) -> tuple[Contender, gate.Observed]:
            contender = contenders.build(name, job.neuron, job.options, job.device, steps)
            result.backend, result.differs = contender.backend, contender.differs
            found = gate.observe(contender.call, x, grad, contender.parameters)
            with torch.no_grad():
                contender.call(x)  # compiled for this direction, too
            return contender, found

        checked = race.attempt(result, check)
        if checked is None:
            failed.append(result)
            continue
        contender, found = checked
        if reference is None:
            if name != contenders.REFERENCE:
                raise RuntimeError(f"The reference does not run here: {failed[0].reason}")
            reference = found
        wrong = gate.difference(found, reference, gradients=contender.gradients)
        if wrong and not contender.differs:
            result.outcome, result.reason = "parity_failed", f"Not timed: {wrong}."
            failed.append(result)
        elif name in job.contenders:
            fit[name] = contender
    return fit, failed
