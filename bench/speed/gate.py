"""Is a contender right? Asked before it is timed: spikes and gradients of one run against the reference's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

FORGIVEN = 1e-4  # share of neurons whose spikes may differ: an input within rounding of a threshold
TOLERANCE = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 2e-2, "float16": 4e-3}  # relative to the largest gradient
SUMMED = 100  # times looser for parameters: their gradients sum millions of terms in another order


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
    differ = (found.outputs != reference.outputs).flatten(1).any(0)
    flipped = int(differ.sum())
    if flipped > FORGIVEN * differ.numel():
        first = int((found.outputs != reference.outputs).flatten(1).any(1).nonzero()[0])
        return f"the spikes of {flipped} of {differ.numel()} neurons differ from the reference, first at step {first}"
    if not gradients:
        return None
    tolerance = TOLERANCE[str(reference.gradient.dtype).removeprefix("torch.")]
    same = (~differ).reshape(found.outputs.shape[1:])
    error = _relative(found.gradient, reference.gradient, same)
    if not error <= tolerance:  # also when it is NaN
        return f"the input's gradient is off by {error:.1e} of its largest value, more than {tolerance:.0e}"
    if flipped:  # one neuron's sum is in every parameter
        return None
    for name, gradient in reference.parameters.items():
        if name not in found.parameters:
            return f"it gives no gradient for the parameter {name!r}"
        error = _relative(found.parameters[name], gradient)
        if not error <= SUMMED * tolerance:
            return f"the gradient of {name!r} is off by {error:.1e}, more than {SUMMED * tolerance:.0e}"
    return None


def _relative(found: Tensor, reference: Tensor, where: Tensor | None = None) -> float:
    """Largest error as a share of the largest reference value."""
    error = (found.double() - reference.double()).abs()
    if where is not None:
        error = error * where
    scale = float(reference.double().abs().max()) or 1.0
    return float(error.max()) / scale
