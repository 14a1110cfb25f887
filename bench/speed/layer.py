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
    fit, results = prepare(job, x, grad, emitter, label)
    for result in results.values():
        if result.contender not in fit:
            emitter.measured(result)
    if not fit:
        return
    x.requires_grad_(True)
    leanest = fit.get(contenders.FUSED)
    kept = None if leanest is None else _kept(leanest, x)
    size = {way: count * x.numel() for way, count in must_move(x.element_size(), kept).items()}
    entries = {
        race.COPY: race.copies(size, job.device),
        **{name: race.trials(c.call, x, grad, list(c.parameters.values())) for name, c in fit.items()},
    }
    copy = Measured(race.COPY, race.COPY, job.size((steps, width)))
    copy.metrics += [(f"{way}_bytes", count, "B") for way, count in size.items()]
    results[race.COPY] = copy
    started = time.perf_counter()
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    spent = time.perf_counter() - started
    for name in entries:
        results[name].seconds, results[name].surroundings = spent, surroundings
        race.figures(results[name], times, job.base)
        emitter.measured(results[name])


def _kept(contender: Contender, x: Tensor) -> float:
    """Bytes per element that are written for the backward pass and read in it; x is there anyway and counts half."""
    beyond, everything = (meters.saved(lambda: contender.call(x), known) / x.numel() for known in ((x,), ()))
    return (beyond + everything) / 2


def prepare(
    job: Job, x: Tensor, grad: Tensor, emitter: Emitter, label: str
) -> tuple[dict[str, Contender], dict[str, Measured]]:
    """The contenders that run and are right on `x`, warmed up; a result for each of the job's, right or not."""
    import torch

    steps = x.shape[0]
    reference: tuple[Contender, gate.Observed] | None = None
    fit: dict[str, Contender] = {}
    results: dict[str, Measured] = {}
    for name in dict.fromkeys([contenders.REFERENCE, *job.contenders]):
        emitter.note(f"{label} · {name}: checking")
        result = Measured(name, name, job.size((steps, x[0].numel())))

        def check(name: str = name, result: Measured = result) -> tuple[Contender, gate.Observed]:
            contender = contenders.build(name, job.neuron, job.options, job.device, steps)
            result.backend, result.differs = contender.backend, contender.differs
            contender.require(x)
            found = gate.observe(contender.call, x, grad, contender.parameters)
            with torch.no_grad():
                contender.call(x)  # compiled for this direction, too
            return contender, found

        checked = race.attempt(result, check)
        if checked is not None:
            contender, found = checked
            reference = reference or checked
            layer = reference[0].layer
            assert layer is not None
            wrong = gate.difference(found, reference[1], layer, x, gradients=contender.gradients)
            if race.admitted(result, wrong) and name in job.contenders:
                fit[name] = contender
        elif reference is None:
            raise RuntimeError(f"the reference does not run here: {result.reason}")
        if name in job.contenders:
            results[name] = result
    return fit, results
