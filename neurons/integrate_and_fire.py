"""Integrate-and-fire neurons: IF, LIF, and LIF with a learned time constant (PLIF).

Charge H[t], fire S[t] = Theta(H[t] - V_th), reset V[t]; Fang et al., ICCV 2021, Eq. 2-4 (LIF) and Sec. 3.4 (PLIF).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .base import ThresholdNeuron


class IF(ThresholdNeuron):
    """Integrate-and-fire without a leak: H[t] = V[t-1] + X[t]."""

    name = "if"

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        h = v + x
        s = self.fire(h)
        return s, self.after_spike(h, s)


class LIF(ThresholdNeuron):
    """Leaky integrate-and-fire: H[t] = V[t-1] + (X[t] - (V[t-1] - V_rest)) / tau.

    `tau` is the membrane time constant in steps (at least 1). With `decay_input` off the input is not scaled:
    H[t] = V[t-1] - (V[t-1] - V_rest) / tau + X[t].
    """

    name = "lif"

    def __init__(self, tau: float = 2.0, *, decay_input: bool = True, **common: Any) -> None:
        super().__init__(**common)
        if not tau >= 1:
            raise ValueError(f"tau of a LIF neuron must be at least 1, got {tau}.")
        self.tau = float(tau)
        self.decay_input = decay_input

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        leak = v - self.v_rest
        h = v + (x - leak) / self.tau if self.decay_input else v - leak / self.tau + x
        s = self.fire(h)
        return s, self.after_spike(h, s)


class PLIF(ThresholdNeuron):
    """Parametric LIF: the LIF step with 1 / tau = sigmoid(w), one trainable scalar `w` per layer.

    tau = 1 + exp(-w) lies in (1, inf); `init_tau` gives w = -ln(init_tau - 1). `decay_input` as in LIF.
    """

    name = "plif"

    def __init__(self, init_tau: float = 2.0, *, decay_input: bool = True, **common: Any) -> None:
        super().__init__(**common)
        if not 1 < init_tau < math.inf:
            raise ValueError(f"init_tau of a PLIF neuron must be greater than 1 and finite, got {init_tau}.")
        self.w = nn.Parameter(torch.tensor(-math.log(init_tau - 1)))
        self.decay_input = decay_input

    @property
    def tau(self) -> Tensor:
        """The present time constant, in steps."""
        return 1 + torch.exp(-self.w.detach())

    def constants(self) -> dict[str, float]:
        return {"tau": float(self.tau)}

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        k = self.w.sigmoid()
        leak = v - self.v_rest
        h = v + (x - leak) * k if self.decay_input else v - leak * k + x
        s = self.fire(h)
        return s, self.after_spike(h, s)
