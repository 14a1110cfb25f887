"""Neurons with a nonlinear leak, as SpikingJelly defines them: EIF, QIF and Izhikevich.

They start at `v_reset` (0 with a soft reset) and rest at `v_rest`. A charge that grows with the potential can leave
the range of the number format when a soft reset does not bring it back below the threshold.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .base import ThresholdNeuron


class _Nonlinear(ThresholdNeuron):
    """A neuron with a time constant `tau` (steps, at least 1) and a rest apart from its reset potential."""

    v_rest: float = 0.0

    def __init__(self, tau: float, v_rest: float, **common: Any) -> None:
        super().__init__(**common)
        if not tau >= 1:
            raise ValueError(f"tau of {type(self).__name__} must be at least 1, got {tau}.")
        self.tau, self.v_rest = float(tau), float(v_rest)

    def rest(self) -> dict[str, float]:
        return {**super().rest(), "v": self.v_reset or 0.0}


class EIF(_Nonlinear):
    """Exponential: H[t] = V[t-1] + (X[t] - (V[t-1] - V_rest) + delta_T exp((V[t-1] - theta_rh) / delta_T)) / tau.

    `delta_T` > 0 is the sharpness, `theta_rh` the rheobase threshold. With the default values (SpikingJelly's) the
    exponential exceeds the leak at every potential: the neuron fires without input.
    """

    name = "eif"

    def __init__(
        self,
        tau: float = 2.0,
        delta_T: float = 1.0,
        theta_rh: float = 0.8,
        *,
        v_rest: float = 0.0,
        v_reset: float | None = -0.1,
        **common: Any,
    ) -> None:
        super().__init__(tau, v_rest, v_reset=v_reset, **common)
        if not delta_T > 0:
            raise ValueError(f"delta_T of an EIF neuron must be positive, got {delta_T}.")
        self.delta_T, self.theta_rh = float(delta_T), float(theta_rh)

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        rise = self.delta_T * torch.exp((v - self.theta_rh) / self.delta_T)
        h = v + (x - (v - self.v_rest) + rise) / self.tau
        s = self.fire(h)
        return s, self.after_spike(h, s)


class QIF(_Nonlinear):
    """Quadratic: H[t] = V[t-1] + (X[t] + a0 (V[t-1] - V_rest) (V[t-1] - v_c)) / tau.

    `v_c` is the critical potential, from which the neuron fires by itself; `a0` > 0.
    """

    name = "qif"

    def __init__(
        self,
        tau: float = 2.0,
        v_c: float = 0.8,
        a0: float = 1.0,
        *,
        v_rest: float = 0.0,
        v_reset: float | None = -0.1,
        **common: Any,
    ) -> None:
        super().__init__(tau, v_rest, v_reset=v_reset, **common)
        if not a0 > 0:
            raise ValueError(f"a0 of {type(self).__name__} must be positive, got {a0}.")
        self.v_c, self.a0 = float(v_c), float(a0)

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = v + (x + self.a0 * (v - self.v_rest) * (v - self.v_c)) / self.tau
        s = self.fire(h)
        return s, self.after_spike(h, s)


class Izhikevich(QIF):
    """QIF with a recovery W: H[t] = V[t-1] + (X[t] + a0 (V[t-1] - V_rest) (V[t-1] - v_c) - W[t-1]) / tau,
    W[t] = W[t-1] + (a (H[t] - V_rest) - W[t-1]) / tau_w + b S[t].

    `tau_w` (steps, at least 1) is the time constant of the recovery, which starts at `w_rest`, `a` its coupling to
    the potential and `b` its increment by a spike. SpikingJelly's default of 0 for a and b leaves a QIF.
    """

    name = "izhikevich"
    states = ("v", "w")

    def __init__(
        self,
        tau: float = 2.0,
        v_c: float = 0.8,
        a0: float = 1.0,
        *,
        v_rest: float = -0.1,
        v_reset: float | None = 0.0,
        w_rest: float = 0.0,
        tau_w: float = 2.0,
        a: float = 0.0,
        b: float = 0.0,
        **common: Any,
    ) -> None:
        self.w_rest = float(w_rest)
        super().__init__(tau, v_c, a0, v_rest=v_rest, v_reset=v_reset, **common)
        if not tau_w >= 1:
            raise ValueError(f"tau_w of an Izhikevich neuron must be at least 1, got {tau_w}.")
        self.tau_w, self.a, self.b = float(tau_w), float(a), float(b)

    def rest(self) -> dict[str, float]:
        return {**super().rest(), "w": self.w_rest}

    def step(self, x: Tensor, v: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        h = v + (x + self.a0 * (v - self.v_rest) * (v - self.v_c) - w) / self.tau
        s = self.fire(h)
        return s, self.after_spike(h, s), w + (self.a * (h - self.v_rest) - w) / self.tau_w + self.b * s
