"""Readouts: layers that turn spikes into a network's answer and fire none themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .stateful import Stateful, fitting


class LeakyReadout(Stateful):
    """Leaky integrators O[t] = O[t-1] + k (X[t] - O[t-1]) with O = 0 before the first step, [T, N, ...] -> the same.

    k = sigmoid(`p`) is learned: `p` has the shape of one step's units, (classes,) after a linear layer, and starts at
    `p` everywhere (0: k = 1/2). Spec: FPTT 2.6.
    """

    memory = ("o",)

    def __init__(self, shape: tuple[int, ...], p: float = 0.0) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full(shape, p))

    def advance(self, x: Tensor) -> Tensor:
        k = self.p.sigmoid().to(x.dtype)
        o = fitting(self.o, x[0], "The outputs kept")
        outputs = []
        for x_t in x.unbind(0):
            o = o + k * (x_t - o)
            outputs.append(o)
        self.o: Tensor | None = o
        return torch.stack(outputs)
