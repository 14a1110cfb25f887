"""A kernel that runs a neuron's step over time, as what computes a layer's sequences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from typing import TYPE_CHECKING

from torch import Tensor

from ...computation import Computation
from . import call, layout
from .kernel import Kernel

if TYPE_CHECKING:
    from ...base import Neuron
    from .plan import Plan

BACKENDS = {"cpu": ("fused", "C++"), "cuda": ("fused", "Triton"), "cupy": ("cupy", "CUDA C")}  # of a plan's target

_every: ContextVar[int | None] = ContextVar("every", default=None)


@contextmanager
def checkpoint(every: int) -> Iterator[None]:
    """Inside, sequences keep their states at every `every`-th step alone and run forward again in the backward pass.

    That takes 4 / `every` bytes per element and state in place of 4 or more; 0 keeps what the backward pass needs of
    every step. On the CPU neurons whose step is cheap do the former by themselves (plan.CHECKPOINTS): they wait for
    memory, not for arithmetic. ValueError below 0.
    """
    if every < 0:
        raise ValueError(f"checkpoint needs a distance of steps, or 0 for none, got {every}.")
    token = _every.set(every)
    try:
        yield
    finally:
        _every.reset(token)


def distance(plan: Plan) -> int:
    """Steps between checkpoints, 0 for none."""
    asked = _every.get()
    return plan.every if asked is None else asked


class Loop(Computation):
    """`compiled` runs the step of the neurons of `plan`."""

    __slots__ = ("compiled", "plan")

    def __init__(self, plan: Plan, compiled: Kernel) -> None:
        backend, kernel = BACKENDS[plan.target]
        super().__init__(backend, kernel, self._run)
        self.plan, self.compiled = plan, compiled

    def _run(self, neuron: Neuron, x: Tensor) -> Tensor:
        plan, kernel = self.plan, self.compiled
        x, place = layout.of_sequence(x)
        rest: list[float] = []
        states: list[Tensor | None] = []
        for value in neuron.carried(x.shape[1:]):
            if isinstance(value, Tensor):
                rest.append(0.0)
                states.append(layout.like(value.to(x.device, kernel.compute), place))
            else:
                rest.append(value)
                states.append(None)
        raw = [attrgetter(name)(neuron) for name in plan.raw_names]
        job = call.Job(rest, plan.raw_names, plan.constants, distance(plan) or 1)
        outputs = call.call(kernel, job, place, x, states, raw)
        neuron.store_states(list(outputs[1:]))
        return outputs[0]
