"""CuAdLIF, AdLIF with a current of its own (first commit of the first-spike code; spec: first_spike 1.6)."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from .current_based import AdLIF, _clamped
from .parameters import Shape, constant, learned_tau, raw_decay


class CuAdLIF(AdLIF):
    """Current-based AdLIF: AdLIF whose input reaches the potential one step later, through a decaying current.

    H[t] = beta V[t-1] + (1 - beta) (I[t-1] - W[t-1]), I[t] = alpha I[t-1] + X[t],
    W[t] = rho W[t-1] + a H[t-1] + b S[t-1], S[t] = Theta(H[t] - V_th).

    Learned are alpha = sigmoid(p_s) with the initial time constant `tau_s` (steps), and what AdLIF learns.
    """

    name = "cuadlif"
    VARIANTS: ClassVar[tuple[str, ...]] = ("spikingjelly",)  # type: ignore[assignment]
    states: tuple[str, ...] = ("v", "i", "w", "w_next")  # type: ignore[assignment]

    def __init__(self, tau_m: float = 5.0, tau_s: float = 5.0, *, shape: Shape = (), **common: Any) -> None:
        super().__init__(tau_m, shape=shape, **common)
        self.p_s = constant(raw_decay(tau_s, "tau_s of a CuAdLIF neuron"), shape)

    def constants(self) -> dict[str, float]:
        return {**super().constants(), **learned_tau(tau_s=self.p_s)}

    def step(self, x: Tensor, v: Tensor, i: Tensor, w: Tensor, w_next: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        h = self.charge(v, i - w, self.p_m.sigmoid())
        s = self.fire(h)
        a, b = _clamped(self.a), _clamped(self.b)
        following = self.p_osc.sigmoid() * w_next + a * h + b * s
        return s, self.after_spike(h, s), self.p_s.sigmoid() * i + x, w_next, following
