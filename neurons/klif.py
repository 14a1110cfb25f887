"""KLIF: a leaky integrator whose rectified potential is scaled by a learned factor (Jiang and Zhang 2023)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .base import ThresholdNeuron


class KLIF(ThresholdNeuron):
    """H[t] charged as in LIF, F[t] = ReLU(k H[t]), S[t] = Theta(F[t] - V_th); the reset acts on F[t].

    One trainable scalar `k` per layer, initially 1. With `scale_reset` the potential is divided by k after the reset:
    V[t] = F[t] / k (1 - S[t]) + V_reset S[t] (hard) or (F[t] - V_th S[t]) / k (soft). `tau` (steps, at least 1) and
    `decay_input` as in LIF. Spec: PSN 1.5; equations as SpikingJelly's KLIFNode.
    """

    name = "klif"

    def __init__(self, tau: float = 2.0, *, decay_input: bool = True, scale_reset: bool = False, **common: Any) -> None:
        super().__init__(**common)
        if not tau >= 1:
            raise ValueError(f"tau of a KLIF neuron must be at least 1, got {tau}.")
        self.tau = float(tau)
        self.decay_input = decay_input
        self.scale_reset = scale_reset
        self.k = nn.Parameter(torch.tensor(1.0))

    def constants(self) -> dict[str, float]:
        return {"k": float(self.k.detach())}

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        leak = v - self.v_rest
        h = v + (x - leak) / self.tau if self.decay_input else v - leak / self.tau + x
        f = (self.k * h).relu()
        s = self.fire(f)
        if not self.scale_reset:
            return s, self.after_spike(f, s)
        if self.v_reset is None:
            return s, self.after_spike(f, s) / self.k
        return s, self.after_spike(f / self.k, s)
