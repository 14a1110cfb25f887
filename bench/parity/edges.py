"""Where a surrogate's derivative jumps: there rounding alone decides which gradient is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neurons.surrogate import Surrogate

if TYPE_CHECKING:
    from neurons.base import Neuron

REACH = 8.0  # looked for up to this distance from the threshold, in units of 1 / slope
POINTS = 2001
SHARE = 1e-3  # of the peak: the least change at one place that is a jump


def edges(neuron: Neuron) -> tuple[float, ...]:
    """The distances to the threshold u at which the derivative of the neuron's surrogate jumps; none if continuous."""
    surrogates = [module for module in neuron.modules() if isinstance(module, Surrogate)]
    return tuple(sorted({edge for surrogate in surrogates for edge in jumps(surrogate)}))


def jumps(surrogate: Surrogate) -> list[float]:
    """Where the derivative of `surrogate` jumps, in distances to the threshold.

    Found by halving, so that no shape need state it: a continuous change becomes small in a small interval.
    """

    def derivative(u: Tensor) -> Tensor:
        return surrogate.derivative(u, surrogate.slope).detach()

    reach = REACH / surrogate.slope
    ends = torch.linspace(-reach, reach, POINTS, dtype=torch.float64)
    low, high = ends[:-1], ends[1:]
    for _ in range(60):
        middle = (low + high) / 2
        left = (derivative(middle) - derivative(low)).abs() >= (derivative(high) - derivative(middle)).abs()
        low, high = torch.where(left, low, middle), torch.where(left, middle, high)
    found = (derivative(high) - derivative(low)).abs() > SHARE * derivative(ends).abs().max()
    return high[found].tolist()


def gaps(distances: Tensor, places: tuple[float, ...]) -> Tensor:
    """How far each of `distances` is from the nearest of `places` (at least one), in the shape of `distances`."""
    return (distances.unsqueeze(-1) - distances.new_tensor(places)).abs().amin(-1)
