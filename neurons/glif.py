"""GLIF: learned gates choose between leak, integration and reset of either kind (Yao et al. 2022)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .base import Neuron
from .parameters import Shape, constant, dimensions, logit
from .surrogate import Rectangle


def gate(logits: Tensor) -> Tensor:
    """1 where sigmoid(logits) > 1/2, else 0; backward the identity on the sigmoid (straight-through)."""
    soft = logits.sigmoid()
    return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())  # the bracket is exactly 0


class GLIF(Neuron):
    """Gated LIF with binary gates al, be, ga:

    I[t] = X[t] (1 - be (1 - g[t]))
    V[t] = (1 - al (1 - tau)) V[t-1] (1 - ga S[t-1]) - (1 - al) leak + I[t] - (1 - ga) subreset S[t-1]
    S[t] = Theta(V[t] - V_th), Theta(0) = 0

    All are learned and stored before a sigmoid: the gates `p_alpha`, `p_beta`, `p_gamma`, further `p_tau`, `p_leak`,
    `p_threshold`, `p_subreset` and the conductance `p_conduct`, each of `shape` (see neurons.parameters.Shape). With
    `T` the conductance is [T, *shape], one value per step, and a sequence is at most T steps long (ValueError); else it
    is constant. State `v` is the potential before the reset, `s` the last spike; `detach_reset` (off in the work)
    keeps the gradient out of S[t-1]. Spec: PSN 1.5; the authors' channel-wise class, not SpikingJelly's GatedLIFNode.
    """

    name = "glif"
    states = ("v", "s")
    counters = ("t",)
    t: int

    def __init__(
        self,
        T: int | None = None,
        *,
        shape: Shape = (),
        init_tau: float = 0.25,
        init_v_threshold: float = 0.5,
        init_linear_decay: float = 0.0625,
        init_v_subreset: float = 0.5,
        init_conduct: float = 0.5,
        detach_reset: bool = False,
        surrogate: nn.Module | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if T is not None and T < 1:
            raise ValueError(f"T of a GLIF neuron must be at least 1, got {T}.")
        self.T = T
        self.p_alpha = constant(logit(0.55), shape)
        self.p_beta = constant(logit(0.65), shape)
        self.p_gamma = constant(logit(0.55), shape)
        self.p_tau = constant(logit(init_tau), shape)
        self.p_threshold = constant(logit(init_v_threshold), shape)
        self.p_leak = constant(logit(init_linear_decay), shape)
        self.p_subreset = constant(logit(init_v_subreset), shape)
        self.p_conduct = constant(logit(init_conduct), (*(() if T is None else (T,)), *dimensions(shape)))
        self.detach_reset = detach_reset
        self.surrogate = Rectangle(strict=True) if surrogate is None else surrogate
        self.reset()

    def advance(self, x: Tensor) -> Tensor:
        if self.T is None:
            return super().advance(x)
        # A conductance with a time axis needs no state: applied to the whole input, it leaves a pointwise step.
        steps = x.shape[0] if self.step_mode == "m" and x.ndim else 1
        spikes = super().advance(x * self.gain(self.conductance(x, steps)))
        self.t += steps
        return spikes

    def gain(self, g: Tensor) -> Tensor:
        """1 - be (1 - g), by which the input is multiplied."""
        return 1 - gate(self.p_beta) * (1 - g)

    def conductance(self, x: Tensor, steps: int) -> Tensor:
        """g of the next `steps` of T steps, broadcast against `x`."""
        if self.t + steps > self.T:  # type: ignore[operator]
            raise ValueError(
                f"This GLIF layer has conductances for T={self.T} steps, {self.t + steps} were given since the last "
                "reset(). Call reset() between sequences or create it with a larger T."
            )
        g = self.p_conduct[self.t : self.t + steps].sigmoid()
        if self.step_mode == "s":
            return g[0]
        return g.reshape(steps, *[1] * (x.ndim - g.ndim), *g.shape[1:])

    def step(self, x: Tensor, v: Tensor, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        if self.detach_reset:
            s = s.detach()
        if self.T is None:
            x = x * self.gain(self.p_conduct.sigmoid())
        al, ga = gate(self.p_alpha), gate(self.p_gamma)
        kept = (1 - al * (1 - self.p_tau.sigmoid())) * v * (1 - ga * s)
        v = kept - (1 - al) * self.p_leak.sigmoid() + x - (1 - ga) * self.p_subreset.sigmoid() * s
        s = self.surrogate(v - self.p_threshold.sigmoid())
        return s, v, s
