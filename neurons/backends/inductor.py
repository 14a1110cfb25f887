"""Backend `inductor`: torch.compile of the neuron's own step, all steps of a sequence unrolled into one graph.

What PyTorch's compiler makes of the plain code, for comparison. It takes about 20 seconds for each kind of layer and
shape, so it runs where it is asked for by name alone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..base import in_the_type_of
from ..computation import Computation, Refusal
from . import eager
from .fused import compiler, cuda_kernel

if TYPE_CHECKING:
    from ..base import Neuron

LONGEST = 16  # steps of a recurrence
_COMPILATIONS = 256  # kinds of layers and shapes that one process may compile


def refuses(neuron: type[Neuron], device: str) -> Refusal | None:
    """Why nothing can be compiled for `device`, or None."""
    reason = compiler.missing() if device == "cpu" else cuda_kernel.missing()
    return None if reason is None else Refusal(reason)


def find(neuron: Neuron, x: Tensor | None = None) -> Computation | Refusal:
    """What computes the layer, or why inputs like `x` [T, ...] are too long."""
    if neuron.recurrent and x is not None and len(x) > LONGEST:
        return Refusal(
            f"torch.compile unrolls the {len(x)} steps, which takes minutes beyond {LONGEST}; use backend='fused', "
            "which takes any length"
        )
    return _INDUCTOR


def sequence(neuron: Neuron, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...]."""
    states = neuron.load_states(x[0]) if neuron.recurrent else []
    with torch._dynamo.config.patch(recompile_limit=_COMPILATIONS), in_the_type_of(x):
        spikes, *states = _compiled()(neuron, x, *states)
    if neuron.recurrent:
        neuron.store_states(states)
    for output in (spikes, *states):
        if output.requires_grad:
            output.register_hook(_refuse_create_graph)
    return spikes


in_graph = eager.in_graph  # a graph is being compiled already
_INDUCTOR = Computation("inductor", "torch.compile", sequence)


def _refuse_create_graph(gradient: Tensor) -> None:
    """The compiler's own gradients end the graph, which would be taken for a second derivative of zero."""
    if torch.is_grad_enabled():
        raise RuntimeError(
            "Backend 'inductor' has no second derivative, so its gradients cannot be taken with create_graph=True; use "
            "backend='torch' for it."
        )


@cache
def _compiled() -> Any:
    return torch.compile(_steps, dynamic=False, fullgraph=True)


def _steps(neuron: Neuron, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
    """Spikes [T, N, ...] and the states after them."""
    if not neuron.recurrent:
        return (neuron.sequence(x),)
    now = list(states)
    spikes = []
    for x_t in x.unbind(0):
        spike, *now = neuron.step(x_t, *now)
        spikes.append(spike)
    return torch.stack(spikes), *now
