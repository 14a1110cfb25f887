"""Is a contender right? Asked before it is timed: spikes and gradients of one run against the reference's, by the rule
of parity as far as it can be asked at the timed size, where the reference is the plain step in the timed type.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.compare import FORGIVEN, FORGIVEN_AT_LEAST, first_step, largest, tolerance

if TYPE_CHECKING:
    from torch import Tensor

    from neurons.base import Neuron

DRAWS = 4  # sign patterns from which the size of a parameter's gradient is estimated


@dataclass(frozen=True)
class Observed:
    """Outputs [T, ...] of one run, the gradient of its input and those of its parameters by name; `grad` is the output
    gradient it was given, `again` observes it with another one."""

    outputs: Tensor
    gradient: Tensor
    parameters: Mapping[str, Tensor]
    grad: Tensor
    again: Callable[[Tensor], Observed]


def observe(
    call: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor, parameters: Mapping[str, Tensor] | None = None
) -> Observed:
    """Runs `call` on `x` [T, ...] forward and backward with the output gradient `grad`."""
    parameters = parameters or {}
    leaf = x.detach().requires_grad_(True)
    for parameter in parameters.values():
        parameter.grad = None
    outputs = call(leaf)
    outputs.backward(grad)
    assert leaf.grad is not None
    found = {name: p.grad.detach().clone() for name, p in parameters.items() if p.grad is not None}
    for parameter in parameters.values():
        parameter.grad = None
    return Observed(outputs.detach().clone(), leaf.grad, found, grad, lambda other: observe(call, x, other, parameters))


def difference(found: Observed, reference: Observed, layer: Neuron, x: Tensor, *, gradients: bool = True) -> str | None:
    """What is wrong with `found`, in words, or None. `layer` is the reference, `x` [T, ...] what it was given.

    Spikes may differ in FORGIVEN of all neurons, in each where the rule of parity forgives it: within rounding of the
    threshold. Gradients are those of the other neurons alone. With `gradients` off the spikes alone are compared (a
    peer with another surrogate).
    """
    if found.outputs.shape != reference.outputs.shape:
        return f"its output has shape {list(found.outputs.shape)}, the reference's {list(reference.outputs.shape)}"
    apart = (found.outputs != reference.outputs).flatten(1)
    differ = apart.any(0)
    flipped = int(differ.sum())
    if flipped:
        where = f"the spikes of {flipped} of {differ.numel()} neurons differ from the reference"
        if flipped > max(FORGIVEN_AT_LEAST, FORGIVEN * differ.numel()):
            return f"{where}, first at step {first_step(apart)}"
        if wrong := _beyond_rounding(found.outputs.flatten(1)[:, differ], layer, x.detach().flatten(1)[:, differ]):
            return f"{where}: {wrong}"
    if not gradients:
        return None
    if flipped:
        same = (~differ).reshape(found.outputs.shape[1:]).to(reference.grad.dtype)
        reference = reference.again(reference.grad * same)
        found = found.again(reference.grad)
        if bool((found.gradient.flatten(1)[:, differ] != 0).any()):
            return "neurons without an output gradient have an input gradient"
    return _input(found, reference) or _parameters(found, reference)


def _beyond_rounding(spikes: Tensor, layer: Neuron, x: Tensor) -> str:
    """Why the rule of parity does not forgive that `spikes` [T, E] differ from those of `layer` on `x` [T, E]."""
    import torch

    from ..parity.rule import Reference, Side, Tally, flips
    from ..parity.runs import Upstream
    from ..parity.runs import reference as reference_of

    def side(dtype: torch.dtype) -> Side:
        twin, given = copy.deepcopy(layer).to(dtype), x.to(dtype)
        return Side(twin, given, reference_of(twin, given), Upstream(torch.zeros_like(given), {}))

    oracle, plain = side(torch.float64), side(x.dtype)
    tally = Tally()
    differs = spikes != oracle.spikes
    if bool(differs.any()):
        flips(differs, Reference(oracle, plain), tally)
    return "; ".join(tally.faults)


def _input(found: Observed, reference: Observed) -> str | None:
    """What is wrong with the gradient of the input."""
    from ..parity import whole

    dtype = reference.gradient.dtype
    exact, got = reference.gradient.double(), found.gradient.double()
    allowed = tolerance("timing", dtype)
    error = largest(got - exact) / (largest(exact) or 1.0)
    if not error <= allowed:  # also when it is NaN
        return f"the input's gradient is off by {error:.1e} of its largest value, more than {allowed:.0e}"
    size = float(exact.norm()) or 1.0
    error = float((got - exact).norm()) / size
    if not error <= allowed:
        return f"the input's gradient is off by {error:.1e} of its 2-norm, more than {allowed:.0e}"
    factor, least = whole.factor(got, exact), tolerance("whole", dtype)
    if factor > least:
        return f"the input's gradient has a factor of its own: 1 and {factor:.1e}, more than {least:.0e}"
    return None


def _parameters(found: Observed, reference: Observed) -> str | None:
    """What is wrong with the gradients of parameters, each held against the size of what is summed in it."""
    signed: list[Observed] = []
    for name, gradient in reference.parameters.items():
        if name not in found.parameters:
            return f"it gives no gradient for the parameter {name!r}"
        allowed = 2 * tolerance("parity", gradient.dtype)  # both sides round
        apart = largest(found.parameters[name].double() - gradient.double())
        if apart <= allowed * (largest(gradient.double()) or 1.0):
            continue
        signed = signed or [reference.again(_signed(reference.grad, draw)) for draw in range(DRAWS)]
        size = math.sqrt(sum(largest(made.parameters[name].double()) ** 2 for made in signed) / DRAWS)
        error = apart / max(size, largest(gradient.double()))
        if not error <= allowed:
            return f"the gradient of {name!r} is off by {error:.1e}, more than {allowed:.0e}"
    return None


def _signed(grad: Tensor, seed: int) -> Tensor:
    import torch

    signs = torch.randint(0, 2, grad.shape, generator=torch.Generator().manual_seed(seed))
    return grad * (2 * signs - 1).to(grad)
