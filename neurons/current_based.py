"""The neurons of first-spike coding (Liu, Leung and Dragotti 2023): CuLIF, PCuLIF, AdLIF.

Time constants are in steps: a decay is exp(-1 / tau). The reset is detached by default, as in the work. Spec:
first_spike 1.1 to 1.5. AdLIF also has the form of Bittar and Garner (2022, released code "sparch").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from core.registry import unknown

from .base import ThresholdNeuron
from .parameters import Shape, constant, dimensions, learned_tau, raw_decay
from .surrogate import FastSigmoid, Rectangle

DECAYS = (2 / math.e, 0.995)  # range of the decays that the SuperSpike form learns


class _FirstSpikeNeuron(ThresholdNeuron):
    """Defaults of the work: threshold 0.5, detached reset, fast sigmoid of slope 5. `variant` is one of VARIANTS."""

    VARIANTS: ClassVar = ("spikingjelly", "superspike")
    late: bool  # the spikes of a step follow from the state before it

    def __init__(
        self,
        *,
        variant: str = "",
        v_threshold: float = 0.5,
        detach_reset: bool = True,
        surrogate: nn.Module | None = None,
        **common: Any,
    ) -> None:
        self.variant = variant or self.VARIANTS[0]
        if self.variant not in self.VARIANTS:
            raise unknown(f"variant of {type(self).__name__}", variant, self.VARIANTS)
        self.late = self.variant == "superspike"
        surrogate = FastSigmoid(strict=self.late) if surrogate is None else surrogate
        super().__init__(v_threshold=v_threshold, detach_reset=detach_reset, surrogate=surrogate, **common)

    def charge(self, v: Tensor, drive: Tensor, beta: float | Tensor) -> Tensor:
        """H = beta V + (1 - beta) drive, counted from the resting potential."""
        if self.v_rest:
            return beta * (v - self.v_rest) + (1 - beta) * drive + self.v_rest
        return beta * v + (1 - beta) * drive

    def current_based(
        self, x: Tensor, v: Tensor, i: Tensor, beta: float | Tensor, alpha: float | Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes and states of a step with the decays `beta` of the potential and `alpha` of the current."""
        if self.late:
            s = self.fire(v)
            return s, self.charge(self.after_spike(v, s), i, beta), alpha * i + x
        h = self.charge(v, i, beta)
        s = self.fire(h)
        return s, self.after_spike(h, s), alpha * i + x


class CuLIF(_FirstSpikeNeuron):
    """Current-based LIF: an input reaches the potential one step later, through a decaying current.

    H[t] = beta V[t-1] + (1 - beta) I[t-1], I[t] = alpha I[t-1] + X[t], S[t] = Theta(H[t] - V_th), with
    beta = exp(-1 / tau_m) and alpha = exp(-1 / tau_s); `tau_m` and `tau_s` in steps, positive.

    With `variant` "superspike" a step fires first, where V[t] > V_th, and V[t+1] and I[t+1] follow: the same spikes
    come one step later. State `v` is then the potential that the next step compares.
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
        return self.current_based(x, v, i, math.exp(-1 / self.tau_m), math.exp(-1 / self.tau_s))


class PCuLIF(_FirstSpikeNeuron):
    """Parametric CuLIF: beta = sigmoid(p_m) and alpha = sigmoid(p_s) are learned.

    `tau_m` and `tau_s` (steps) are the initial time constants, -1 / ln sigmoid(p) the present ones; `shape` is that
    of p_m and p_s (see neurons.parameters.Shape). In the `variant` "superspike" (see CuLIF) p_m and p_s are the decays
    themselves, for the constraint "decays" (training.decays) to keep in DECAYS.
    """

    name = "pculif"
    states = ("v", "i")

    def __init__(self, tau_m: float = 5.0, tau_s: float = 5.0, *, shape: Shape = (), **common: Any) -> None:
        super().__init__(**common)
        raw = [raw_decay(tau, f"{what} of a PCuLIF neuron") for what, tau in (("tau_m", tau_m), ("tau_s", tau_s))]
        if self.late:
            raw = [math.exp(-1 / tau) for tau in (tau_m, tau_s)]
        self.p_m, self.p_s = (constant(value, shape) for value in raw)

    def constants(self) -> dict[str, float]:
        raw: dict[str, Tensor] = {"tau_m": self.p_m, "tau_s": self.p_s}
        return learned_tau(**{name: p.detach().logit() if self.late else p for name, p in raw.items()})

    def step(self, x: Tensor, v: Tensor, i: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        beta, alpha = (self.p_m, self.p_s) if self.late else (self.p_m.sigmoid(), self.p_s.sigmoid())
        return self.current_based(x, v, i, beta, alpha)


class AdLIF(_FirstSpikeNeuron):
    """Adaptive LIF: an adaptation W of potential and spikes is taken from the input.

    H[t] = beta V[t-1] + (1 - beta) (X[t] - W[t-1]), W[t] = rho W[t-1] + a H[t-1] + b S[t-1], S[t] = Theta(H[t] - V_th).

    Learned are beta = sigmoid(p_m), rho = sigmoid(p_osc), a and b, each of `shape` (see neurons.parameters.Shape);
    `tau_m` and `tau_osc` (steps) are the initial time constants, a and b start uniform on [0, 1] and are clamped to it
    at every call: the parameters themselves, so their gradients are those of the clamped values. Only the reset is
    detached.

    The `variant` "sparch" is the one of Bittar and Garner: H[t] sees W[t], not W[t-1]; a spike takes 1 from the
    potential of the next step, with its gradient. beta and rho are p_m and p_osc themselves; all four start uniform on
    their ranges in SPARCH, and outside them have no gradient. Threshold 1, Theta(0) = 0, a rectangle of width 1;
    potential, adaptation and spike before the first step are uniform on [0, 1] in each sequence. There the options
    `tau_m`, `tau_osc`, `v_reset` and `detach_reset` are refused.
    """

    name = "adlif"
    VARIANTS = ("spikingjelly", "sparch")
    SPARCH: ClassVar = {
        "p_m": (math.exp(-1 / 5), math.exp(-1 / 25)),
        "p_osc": (math.exp(-1 / 30), math.exp(-1 / 120)),
        "a": (-1.0, 1.0),
        "b": (0.0, 2.0),
    }
    # W[t+1] needs nothing of step t+1: carrying it saves carrying H[t] and S[t].
    states = ("v", "w", "w_next")

    def __init__(
        self,
        tau_m: float | None = None,
        tau_osc: float | None = None,
        *,
        shape: Shape = (),
        variant: str = "",
        **common: Any,
    ) -> None:
        if variant == "sparch":
            given = {"tau_m": tau_m, "tau_osc": tau_osc, **common}
            for option in ("tau_m", "tau_osc", "v_reset", "detach_reset"):
                if given.get(option) is not None:
                    raise ValueError(
                        f"The variant 'sparch' of AdLIF has no option {option} (given: {given[option]!r})."
                    )
            own = {"v_threshold": 1.0, "surrogate": Rectangle(strict=True), "v_reset": None, "detach_reset": False}
            common = {**own, **common}
        super().__init__(variant=variant, **common)
        if self.variant == "sparch":
            for name, (low, high) in self.SPARCH.items():
                setattr(self, name, nn.Parameter(torch.empty(dimensions(shape)).uniform_(low, high)))
        else:
            self.p_m = constant(raw_decay(5.0 if tau_m is None else tau_m, "tau_m of an AdLIF neuron"), shape)
            self.p_osc = constant(raw_decay(100.0 if tau_osc is None else tau_osc, "tau_osc of an AdLIF neuron"), shape)
            self.a = nn.Parameter(torch.rand(dimensions(shape)))
            self.b = nn.Parameter(torch.rand(dimensions(shape)))

    def constants(self) -> dict[str, float]:
        raw: dict[str, Tensor] = {"tau_m": self.p_m, "tau_osc": self.p_osc}
        if self.variant == "sparch":
            raw = {"tau_m": self.within("p_m").detach().logit(), "tau_osc": self.within("p_osc").detach().logit()}
        return learned_tau(**raw)

    def reset(self) -> None:
        super().reset()
        if self.variant != "sparch":  # nothing is drawn: the states are plain numbers
            for name, value in self.rest().items():
                setattr(self, name, value)

    def initial(self, shape: torch.Size, generator: torch.Generator | None) -> Mapping[str, float | Tensor]:
        if self.variant != "sparch":
            return self.rest()
        device = self.a.device if generator is None else generator.device
        u, w, s = (torch.rand(shape, generator=generator, device=device).to(self.a) for _ in range(3))
        return self.begun(u, w, s)

    def begun(self, u: Tensor, w: Tensor, s: Tensor) -> dict[str, Tensor]:
        """The states of the variant "sparch" after a step with potential `u`, adaptation `w` and spikes `s`."""
        rho, a, b = (self.within(name) for name in ("p_osc", "a", "b"))
        return {"v": u - s, "w": w, "w_next": rho * w + a * u + b * s}

    def within(self, name: str) -> Tensor:
        """The parameter `name` of the variant "sparch" inside its range."""
        parameter: Tensor = getattr(self, name)
        return parameter.clamp(*self.SPARCH[name])

    def advance(self, x: Tensor) -> Tensor:
        # functorch allows no change of a parameter
        if self.variant != "sparch" and not torch._C._are_functorch_transforms_active():
            for parameter in (self.a, self.b):
                parameter.data.clamp_(0, 1)  # .data: a graph that an earlier step left keeps its saved values valid
        return super().advance(x)

    def step(self, x: Tensor, v: Tensor, w: Tensor, w_next: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        if self.variant == "sparch":
            h = self.charge(v, x - w_next, self.within("p_m"))
            s = self.fire(h)
            following = self.begun(h, w_next, s)
            return s, following["v"], following["w"], following["w_next"]
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
