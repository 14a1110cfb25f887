"""Readouts: layers that turn spikes into a network's answer and fire none themselves. Spec: FPTT 2.6."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurons.gates import squash

from .stateful import Stateful, fitting


def leak(o: Tensor, x: Tensor, k: Tensor) -> Tensor:
    """One step of a leaky integrator: O + k (X - O)."""
    return o + k * (x - o)


class _Integrators(Stateful):
    """Leaky integrators O[t] = O[t-1] + k (X[t] - O[t-1]) with O = 0 before the first step, [T, N, ...] -> the same."""

    memory = ("o",)

    def gate(self, x: Tensor, o: Tensor) -> Tensor:
        """k of a step with the input `x` and the outputs `o` before it."""
        raise NotImplementedError

    def advance(self, x: Tensor) -> Tensor:
        o = fitting(self.o, x[0], "The outputs kept")
        outputs = []
        for x_t in x.unbind(0):
            o = leak(o, x_t, self.gate(x_t, o))
            outputs.append(o)
        self.o: Tensor | None = o
        return torch.stack(outputs)


class LeakyReadout(_Integrators):
    """Leaky integrators whose k = sigmoid(`p`) is learned.

    `p` has the shape of one step's units, (classes,) after a linear layer, and starts at `p` everywhere (0: k = 1/2).
    With `slope` the sigmoid has a learned one.
    """

    def __init__(self, shape: tuple[int, ...], p: float = 0.0, *, slope: bool = False) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full(shape, p))
        self.squash = squash(slope)

    def gate(self, x: Tensor, o: Tensor) -> Tensor:
        return self.squash(self.p).to(x.dtype)


class LiquidReadout(_Integrators):
    """Leaky integrators [T, N, units] whose k = sigmoid(W_o [X; O] + c_o) follows input and output.

    With `slope` the sigmoid has a learned one.
    """

    def __init__(self, units: int, *, slope: bool = False) -> None:
        super().__init__()
        self.mixing = nn.Linear(2 * units, units)
        self.squash = squash(slope)

    def gate(self, x: Tensor, o: Tensor) -> Tensor:
        return self.squash(self.mixing(torch.cat([x, o], -1)))
