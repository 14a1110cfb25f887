"""Is a contender right? Asked before it is timed: spikes and gradients of one run against the reference's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.compare import FORGIVEN, SUMMED, first_step, largest, relative, scale, tolerance

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Observed:
    """Outputs [T, ...] of one run, the gradient of its input and those of its parameters by name."""

    outputs: Tensor
    gradient: Tensor
    parameters: Mapping[str, Tensor]


def observe(
    call: Callable[[Tensor], Tensor], x: Tensor, grad: Tensor, parameters: Mapping[str, Tensor] | None = None
) -> Observed:
    """Runs `call` on `x` [T, ...] forward and backward with the output gradient `grad`."""
    parameters = parameters or {}
    x = x.detach().requires_grad_(True)
    for parameter in parameters.values():
        parameter.grad = None
    outputs = call(x)
    outputs.backward(grad)
    assert x.grad is not None
    found = {name: p.grad.detach().clone() for name, p in parameters.items() if p.grad is not None}
    for parameter in parameters.values():
        parameter.grad = None
    return Observed(outputs.detach().clone(), x.grad, found)


def difference(found: Observed, reference: Observed, *, gradients: bool = True) -> str | None:
    """What is wrong with `found`, in words, or None.

    Spikes may differ in FORGIVEN of all neurons, whose gradients are then left out. With `gradients` off the spikes
    alone are compared (a peer with another surrogate).
    """
    if found.outputs.shape != reference.outputs.shape:
        return f"its output has shape {list(found.outputs.shape)}, the reference's {list(reference.outputs.shape)}"
    apart = found.outputs != reference.outputs
    differ = apart.flatten(1).any(0)
    flipped = int(differ.sum())
    if flipped > FORGIVEN * differ.numel():
        where = f"first at step {first_step(apart)}"
        return f"the spikes of {flipped} of {differ.numel()} neurons differ from the reference, {where}"
    if not gradients:
        return None
    allowed = tolerance("timing", reference.gradient.dtype)
    same = (~differ).reshape(found.outputs.shape[1:])
    error = largest((found.gradient.double() - reference.gradient.double()) * same) / scale(reference.gradient)
    if not error <= allowed:  # also when it is NaN
        return f"the input's gradient is off by {error:.1e} of its largest value, more than {allowed:.0e}"
    if flipped:  # one neuron's sum is in every parameter
        return None
    for name, gradient in reference.parameters.items():
        if name not in found.parameters:
            return f"it gives no gradient for the parameter {name!r}"
        error = relative(found.parameters[name], gradient)
        if not error <= SUMMED * allowed:
            return f"the gradient of {name!r} is off by {error:.1e}, more than {SUMMED * allowed:.0e}"
    return None
