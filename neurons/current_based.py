"""The neurons of first-spike coding (Liu, Leung and Dragotti 2023): CuLIF, PCuLIF, AdLIF.

Time constants are in steps: a decay is exp(-1 / tau). The reset is detached by default, as in the work. Spec:
first_spike 1.1 to 1.3.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .base import ThresholdNeuron
from .parameters import Shape, constant, dimensions, learned_tau, raw_decay
from .surrogate import FastSigmoid


class _FirstSpikeNeuron(ThresholdNeuron):
    """Defaults of the work: threshold 0.5, detached reset, fast sigmoid of slope 5."""

    def __init__(
        self,
        *,
        v_threshold: float = 0.5,
        detach_reset: bool = True,
        surrogate: nn.Module | None = None,
        **common: Any,
    ) -> None:
        surrogate = FastSigmoid() if surrogate is None else surrogate
        super().__init__(v_threshold=v_threshold, detach_reset=detach_reset, surrogate=surrogate, **common)

    def charge(self, v: Tensor, drive: Tensor, beta: float | Tensor) -> Tensor:
        """H = beta V + (1 - beta) drive, counted from the resting potential."""
        if self.v_rest:
            return beta * (v - self.v_rest) + (1 - beta) * drive + self.v_rest
        return beta * v + (1 - beta) * drive


class CuLIF(_FirstSpikeNeuron):
    """Current-based LIF: an input reaches the potential one step later, through a decaying current.

    H[t] = beta V[t-1] + (1 - beta) I[t-1], I[t] = alpha I[t-1] + X[t], S[t] = Theta(H[t] - V_th), with
    beta = exp(-1 / tau_m) and alpha = exp(-1 / tau_s); `tau_m` and `tau_s` in steps, positive.
    """

    name = "culif"
    states = ("v", "i")

    def __init__(self, tau_m: float = 5.0, tau_s: float = 5.0, **common: Any) -> None:
        super().__init__(**common)
        for what, tau in (("tau_m", tau_m), ("tau_s", tau_s)):
            if not tau > 0:
                raise ValueError(f"{what} of a CuLIF neuron must be positive, got {tau}.")
        self.tau_m, self.tau_s = float(tau_m), float(tau_s)

    def step(self, x: Tensor, v: Tensor, i: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        h = self.charge(v, i, math.exp(-1 / self.tau_m))
        i = math.exp(-1 / self.tau_s) * i + x
        s = self.fire(h)
        return s, self.after_spike(h, s), i


class PCuLIF(_FirstSpikeNeuron):
    """Parametric CuLIF: beta = sigmoid(p_m) and alpha = sigmoid(p_s) are learned.

    `tau_m` and `tau_s` (steps) are the initial time constants, -1 / ln sigmoid(p) the present ones; `shape` is that
    of p_m and p_s (see neurons.parameters.Shape).
    """

    name = "pculif"
    states = ("v", "i")

    def __init__(self, tau_m: float = 5.0, tau_s: float = 5.0, *, shape: Shape = (), **common: Any) -> None:
        super().__init__(**common)
        self.p_m = constant(raw_decay(tau_m, "tau_m of a PCuLIF neuron"), shape)
        self.p_s = constant(raw_decay(tau_s, "tau_s of a PCuLIF neuron"), shape)

    def constants(self) -> dict[str, float]:
        return learned_tau(tau_m=self.p_m, tau_s=self.p_s)

    def step(self, x: Tensor, v: Tensor, i: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        h = self.charge(v, i, self.p_m.sigmoid())
        i = self.p_s.sigmoid() * i + x
        s = self.fire(h)
        return s, self.after_spike(h, s), i


class AdLIF(_FirstSpikeNeuron):
    """Adaptive LIF: an adaptation W of potential and spikes is taken from the input.

    H[t] = beta V[t-1] + (1 - beta) (X[t] - W[t-1]), W[t] = rho W[t-1] + a H[t-1] + b S[t-1], S[t] = Theta(H[t] - V_th).

    Learned are beta = sigmoid(p_m), rho = sigmoid(p_osc), a and b, each of `shape` (see neurons.parameters.Shape);
    `tau_m` and `tau_osc` (steps) are the initial time constants, a and b start uniform on [0, 1] and are clamped to it
    at every call: the parameters themselves, so their gradients are those of the clamped values. Only the reset is
    detached.
    """

    name = "adlif"
    # W[t+1] needs nothing of step t+1: carrying it saves carrying H[t] and S[t].
    states = ("v", "w", "w_next")

    def __init__(self, tau_m: float = 5.0, tau_osc: float = 100.0, *, shape: Shape = (), **common: Any) -> None:
        super().__init__(**common)
        self.p_m = constant(raw_decay(tau_m, "tau_m of an AdLIF neuron"), shape)
        self.p_osc = constant(raw_decay(tau_osc, "tau_osc of an AdLIF neuron"), shape)
        self.a = nn.Parameter(torch.rand(dimensions(shape)))
        self.b = nn.Parameter(torch.rand(dimensions(shape)))

    def constants(self) -> dict[str, float]:
        return learned_tau(tau_m=self.p_m, tau_osc=self.p_osc)

    def advance(self, x: Tensor) -> Tensor:
        if not torch._C._are_functorch_transforms_active():  # which allow no change of a parameter
            for parameter in (self.a, self.b):
                parameter.data.clamp_(0, 1)  # .data: a graph that an earlier step left keeps its saved values valid
        return super().advance(x)

    def step(self, x: Tensor, v: Tensor, w: Tensor, w_next: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        h = self.charge(v, x - w, self.p_m.sigmoid())
        s = self.fire(h)
        a, b = _clamped(self.a), _clamped(self.b)
        return s, self.after_spike(h, s), w_next, self.p_osc.sigmoid() * w_next + a * h + b * s


def _clamped(parameter: Tensor) -> Tensor:
    """The clamped value, with the gradient of the parameter, inside a transform of torch.func; outside it is clamped
    already.
    """
    if not torch._C._are_functorch_transforms_active():
        return parameter
    return parameter + (parameter.clamp(0, 1) - parameter).detach()
