"""The other ways on which a layer is called: a kernel may have programs of their own for them.

Accuracy is measured in evaluation mode without a graph, and the first layer of a network has an input that needs no
gradient. Nothing but what is kept for the backward pass differs there, so a backend owes itself the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.compare import largest, tolerance

from .rule import Reference, Side
from .runs import Outcome, run

if TYPE_CHECKING:
    from neurons.base import Neuron

BARE = "for an input that needs no gradient"


def faults(made: Neuron, side: Side, reference: Reference, cut: int | None) -> list[str]:
    """What is not the same as in `side`, where the layer `made` was trained; it is left in training mode."""
    found = []
    x = side.x.detach()
    made.eval()
    with torch.inference_mode():
        found += _outputs("in evaluation", run(made, x, "m", cut), side.outcome)
    made.train()
    if not side.parameters:
        with torch.no_grad():
            return found + _outputs("without gradients", run(made, x, "m", cut), side.outcome)
    other = Side(made, x, run(made, x, "m", cut), side.upstream)
    return found + _outputs(BARE, other.outcome, side.outcome) + _gradients(other, side, reference)


def _outputs(where: str, found: Outcome, wanted: Outcome) -> list[str]:
    pairs: dict[str, tuple[Tensor | None, Tensor]] = {"spikes": (found.spikes, wanted.spikes)}
    pairs |= {f"state {name}": (found.states.get(name), value) for name, value in wanted.states.items()}
    faults = []
    for what, (value, own) in pairs.items():
        if value is None or value.shape != own.shape:
            faults.append(f"{where} {what}: missing or of another shape")
        elif apart := int((value != own.detach()).sum()):
            faults.append(f"{where} {apart} values of {what} differ from those in training")
    return faults


def _gradients(found: Side, wanted: Side, reference: Reference) -> list[str]:
    """Of the parameters; sums of the same numbers, which may be added up in another order."""
    kept = torch.ones_like(reference.kept)
    faults = []
    own = wanted.gradients(kept)
    for name, got in found.gradients(kept).items():
        value = own[name]
        if got is None or value is None:
            faults += [f"{BARE} the gradient of {name} is missing"] * (got is not value)
            continue
        error = largest(got - value) / reference.gradient_scale(name, kept)
        if not error <= tolerance("parity", wanted.x.dtype):
            faults.append(f"{BARE} the gradient of {name} is off by {error:.1e}")
    return faults
