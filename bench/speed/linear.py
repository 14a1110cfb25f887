"""Linear(n, n) + neuron on a batch of 16, as in the library comparison of open-neuromorphic.org, but with equal outputs
checked and the matrix product alone as the base.

Every contender gets the currents of the whole sequence from one product, also those whose documentation calls the
Linear at every step: what differs is the neuron alone. Metrics `neuron_...` are the neuron on those currents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import contenders, gate, race
from .contenders import Contender
from .inputs import currents
from .job import BATCH, Job, Measured

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .child import Emitter

LINEAR = "linear"


def measure(job: Job, emitter: Emitter) -> None:
    """Times the Linear alone, Linear + neuron and the neuron alone for every contender that is right."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    import torch

    steps, width = shape
    label = f"{job.neuron} linear {steps}x{BATCH}x{width}"
    size = job.size(shape)
    linear = torch.nn.Linear(width, width).to(job.device, getattr(torch, job.dtype))
    x, grad = currents((steps, BATCH, width), job.dtype, job.device)
    with torch.no_grad():
        alone = linear(x)
    x.requires_grad_(True)
    alone.requires_grad_(True)
    weights = list(linear.parameters())
    entries: dict[str, Any] = {LINEAR: race.trials(linear, x, grad, weights)}
    results = {LINEAR: Measured(LINEAR, "torch", size)}
    reference: tuple[Contender, gate.Observed] | None = None
    for name in dict.fromkeys([contenders.REFERENCE, *job.contenders]):
        emitter.note(f"{label} · {name}: checking")
        result = Measured(name, name, size)
        found = race.attempt(result, lambda n=name: _checked(n, job, linear, x, grad, steps))  # type: ignore[misc]
        if found is None:
            emitter.measured(result)
            continue
        contender, observed = found
        reference = reference or found
        layer = reference[0].layer
        assert layer is not None
        result.backend, result.differs = contender.backend, contender.differs
        wrong = gate.difference(observed, reference[1], layer, alone, gradients=contender.gradients)
        if not race.admitted(result, wrong):
            emitter.measured(result)
            continue
        own = list(contender.parameters.values())
        neuron = race.trials(contender.call, alone, grad, own)
        entries[name] = {
            **race.trials(_both(linear, contender), x, grad, [*weights, *own]),
            **{f"neuron_{way}": trial for way, trial in neuron.items()},
        }
        results[name] = result
    times, surroundings = race.race(entries, job, emitter, label, LINEAR)
    for result in results.values():
        result.surroundings = surroundings
        race.figures(result, times, LINEAR)
        emitter.measured(result)


def _both(linear: nn.Module, contender: Contender) -> Any:
    return lambda x: contender.call(linear(x))


def _checked(
    name: str, job: Job, linear: nn.Module, x: Tensor, grad: Tensor, steps: int
) -> tuple[Contender, gate.Observed]:
    contender = contenders.build(name, job.neuron, job.options, job.device, steps)
    contender.require(x)
    parameters = {**dict(linear.named_parameters(prefix="linear")), **contender.parameters}
    return contender, gate.observe(_both(linear, contender), x, grad, parameters)
