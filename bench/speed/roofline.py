"""The fused kernel alone, without autograd, against a copy of the bytes that it must move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import contenders, race
from .inputs import currents
from .job import Job, Measured
from .rounds import Trial
from .traffic import must_move

if TYPE_CHECKING:
    from torch import Tensor

    from .child import Emitter


def measure(job: Job, emitter: Emitter) -> None:
    """Times the kernels of the fused backend; "training" is the forward pass that keeps values and the backward pass.

    Outputs come from the buffer pool, as in use.
    """
    (name,) = job.contenders
    for shape in job.shapes:
        result = Measured(name, contenders.FUSED, job.size(shape))
        label = f"{job.neuron} {shape[0]}x{shape[1]} {name}"
        emitter.note(f"{label}: preparing")
        x, grad = currents(shape, job.dtype, job.device)
        kernel = race.attempt(result, lambda x=x, grad=grad: _trials(job, x, grad))  # type: ignore[misc]
        if kernel is not None:
            ways, kept = kernel
            size = {way: count * x.numel() for way, count in must_move(x.element_size(), kept).items()}
            entries = {race.COPY: race.copies(size, job.device), name: ways}
            times, result.surroundings = race.race(entries, job, emitter, label, name)
            result.metrics += [(f"{way}_bytes", count, "B") for way, count in size.items()]
            race.figures(result, times, name)
        emitter.measured(result)


def _trials(job: Job, x: Tensor, grad: Tensor) -> tuple[dict[str, Trial], float]:
    """The kernel's two directions and the bytes that it keeps per element for the backward pass."""
    import torch

    from neurons.backends.fused import layout, plan
    from neurons.computation import Refusal

    neuron: Any = contenders.create(job.neuron, job.options, x.shape[0]).to(job.device)
    contenders.own(contenders.FUSED, neuron, job.device).require(x.requires_grad_(True))
    x = x.detach()
    found = plan.find(neuron, x.dtype, x.shape[1:], x.device.type)
    loop = found if isinstance(found, Refusal) else found.loop(neuron, True, found.every > 0)
    if isinstance(loop, Refusal):
        raise contenders.Unfit(loop.reason)
    found, kernel, every = loop.plan, loop.compiled, loop.plan.every or 1
    reads_spikes = kernel.program.reads_spikes and not kernel.checkpoint
    initial = neuron.rest()
    rest = [initial[state] for state in neuron.states]
    states: list[Tensor | None] = [None] * len(rest)
    raw = {name: value.detach() for name, value in neuron.named_parameters()}
    raw = {name: raw[name] for name in found.raw_names}
    place = layout.of_sequence(x)[1]

    def forward(keep: bool) -> Any:
        return kernel.forward(x, place, states, rest, raw, found.constants, keep, every)

    def training() -> Any:
        spikes, _, kept = forward(True)
        reads = (x if kernel.reads_x else None, spikes if reads_spikes else None)
        wanted = [False] * len(states)
        return kernel.backward(
            *reads, kept, raw, found.constants, grad, [None] * len(states), wanted, place, x.shape[0], every
        )

    with torch.no_grad():
        kept = sum(t.nbytes for t in forward(True)[2]) / x.numel()
    if kernel.reads_x:
        kept += x.element_size() / 2  # read once more, not written
    if reads_spikes:
        kept += x.element_size() / 2
    return {"forward": Trial(lambda: forward(False)), "training": Trial(training)}, kept
