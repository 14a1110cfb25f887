"""PSN against LIF over steps and neurons: one product over time against a loop (paper: Fang et al. 2023, speed curves).

The work compares with LIF step by step, here "lif torch"; "lif fused" is this suite's kernel for the same neuron, so
that what comes from the missing recurrence and what comes from the kernel can be told apart. LIF has a soft reset, as
in the work's sequential networks. A LIF is checked against "lif torch", a PSN against "psn torch", before it is timed.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from . import contenders, layer, race
from .inputs import currents
from .job import Job

if TYPE_CHECKING:
    from .child import Emitter

LAYERS: dict[str, dict[str, Any]] = {"psn": {}, "lif": {"v_reset": None, "detach_reset": True}}
BASE = "psn fused"


def job(usual: Job, peers: tuple[str, ...]) -> Job:
    """The job of this measurement; of the peers it takes SpikingJelly, which has both neurons."""
    backends = [contenders.REFERENCE, contenders.FUSED, *(peer for peer in peers if peer == "spikingjelly")]
    names = tuple(f"{neuron} {backend}" for neuron in LAYERS for backend in backends)
    return dataclasses.replace(usual, contenders=names, base=BASE, options={})


def measure(job: Job, emitter: Emitter) -> None:
    """Times every contender of `job` at each of its shapes; ratios are to BASE."""
    for shape in job.shapes:
        _at(job, shape, emitter)


def _at(job: Job, shape: tuple[int, int], emitter: Emitter) -> None:
    x, grad = currents(shape, job.dtype, job.device)
    label = f"psn {shape[0]}x{shape[1]}"
    entries, results = {}, {}
    x.requires_grad_(True)
    for neuron, options in LAYERS.items():
        backends = tuple(name.split()[1] for name in job.contenders if name.split()[0] == neuron)
        own = dataclasses.replace(job, neuron=neuron, contenders=backends, options=options)
        fit, found = layer.prepare(own, x.detach(), grad, emitter, label)
        for backend, result in found.items():
            name = f"{neuron} {backend}"
            named = dataclasses.replace(result, contender=name, neuron="" if neuron == job.neuron else neuron)
            if backend in fit:
                contender = fit[backend]
                entries[name] = race.trials(contender.call, x, grad, list(contender.parameters.values()))
                results[name] = named
            else:
                emitter.measured(named)
    started = time.perf_counter()
    times, surroundings = race.race(entries, job, emitter, label, job.base)
    spent = time.perf_counter() - started
    for result in results.values():
        result.seconds, result.surroundings = spent, surroundings
        race.figures(result, times, job.base)
        emitter.measured(result)
