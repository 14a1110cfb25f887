"""Neurons whose threshold rises with their own spikes: ALIF and a diagonal LTC (Yin, Corradi and Bohte 2023).

Gates are mixing coefficients in (0, 1), not time constants; 1 / g is the membrane's in steps. Spec: fptt 2.1 to 2.4.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .base import ThresholdNeuron
from .parameters import Shape, dimensions
from .surrogate import MultiGaussian


class _AdaptiveThreshold(ThresholdNeuron):
    """H = V + g (X - V), S = Theta(H - V_th - beta B), Theta(0) = 0; a soft reset subtracts the present threshold.

    States: potential `v`, adaptation `b` (starts at 0) and last spike `s`.
    """

    states = ("v", "b", "s")

    def __init__(self, *, beta: float = 1.8, surrogate: nn.Module | None = None, **common: Any) -> None:
        super().__init__(surrogate=MultiGaussian(strict=True) if surrogate is None else surrogate, **common)
        self.beta = float(beta)

    def respond(self, x: Tensor, v: Tensor, b: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Spikes and states from the potential before and the adaptation `b` after this step, with the gate `g`."""
        theta = self.v_threshold + self.beta * b
        h = v + g * (x - v)
        s = self.surrogate(h - theta)
        if self.v_reset is not None or self.without_reset:
            return s, self.after_spike(h, s), b, s
        return s, h - theta * (s.detach() if self.detach_reset else s), b, s


class ALIF(_AdaptiveThreshold):
    """Adaptive-threshold LIF with learned constant gates g = sigmoid(p_m), r = sigmoid(p_a).

    B[t] = r B[t-1] + (1 - r) S[t-1], with `accumulate` r B[t-1] + S[t-1]. p_m and p_a have `shape` (see
    neurons.parameters.Shape) and start normal with deviation 1 around 2 and 4.
    """

    name = "alif"

    def __init__(self, *, accumulate: bool = False, shape: Shape = (), **common: Any) -> None:
        super().__init__(**common)
        self.accumulate = accumulate
        self.p_m = nn.Parameter(torch.randn(dimensions(shape)) + 2)
        self.p_a = nn.Parameter(torch.randn(dimensions(shape)) + 4)

    def step(self, x: Tensor, v: Tensor, b: Tensor, s: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        r = self.p_a.sigmoid()
        b = r * b + (s if self.accumulate else (1 - r) * s)
        return self.respond(x, v, b, self.p_m.sigmoid())


class LTC(_AdaptiveThreshold):
    """Liquid time constants, diagonal: each neuron's gates see its own input and state.

    g[t] = sigmoid(w_mx X[t] + w_mv V[t-1] + c_m), r[t] = sigmoid(w_ax X[t] + w_ab B[t-1] + c_a),
    B[t] = r[t] B[t-1] + (1 - r[t]) S[t-1]. The dense gates of the work mix neurons and are a network's matter; with
    diagonal weights they are these. The six parameters have `shape` (see neurons.parameters.Shape) and start as those
    of a linear layer with two inputs.
    """

    name = "ltc"

    def __init__(self, *, v_threshold: float = 0.1, shape: Shape = (), **common: Any) -> None:
        super().__init__(v_threshold=v_threshold, **common)

        def uniform() -> nn.Parameter:
            return nn.Parameter(torch.empty(dimensions(shape)).uniform_(-(2**-0.5), 2**-0.5))

        self.w_mx, self.w_mv, self.c_m = uniform(), uniform(), uniform()
        self.w_ax, self.w_ab, self.c_a = uniform(), uniform(), uniform()

    def step(self, x: Tensor, v: Tensor, b: Tensor, s: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        g = (self.w_mx * x + self.w_mv * v + self.c_m).sigmoid()
        r = (self.w_ax * x + self.w_ab * b + self.c_a).sigmoid()
        return self.respond(x, v, r * b + (1 - r) * s, g)
