"""Neurons whose threshold rises with their own spikes: ALIF and liquid time constants (Yin, Corradi and Bohte 2023).

Gates are mixing coefficients in (0, 1), not time constants; 1 / g is the membrane's in steps. Spec: fptt 2.1 to 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from core.registry import unknown

from . import gates as gating
from .base import ThresholdNeuron
from .parameters import Shape, dimensions
from .surrogate import MultiGaussian


class _AdaptiveThreshold(ThresholdNeuron):
    """H = V + g (R X - V), S = Theta(H - Theta_t), Theta_t = V_th + beta B[t], Theta(0) = 0; then the reset.

    B[t] = r B[t-1] + (1 - r) S[t-1], with `accumulate` r B[t-1] + S[t-1]. Where the neuron is not `adaptive`, B stays
    as it is and the threshold is V_th. States: potential `v`, adaptation `b` and last spike `s`.

    `r_m` is R. With `retains` g is the share of V that is kept: H = g V + (1 - g) R X. With `refractory` the membrane
    does not see the current of the step after a spike; the gates do. A soft reset (v_reset=None) subtracts Theta_t from
    the potential that fired; with `late_reset` from that of the next step, where it acts undecayed:
    H = ... - Theta_t S[t-1]. `v_start` > 0 draws the potential before the first step uniformly from (0, v_start);
    `b_start` is where B starts.
    """

    states = ("v", "b", "s")
    v_start = b_start = 0.0  # known to the base's constructor, which resets

    def __init__(
        self,
        *,
        beta: float = 1.8,
        adaptive: bool = True,
        accumulate: bool = False,
        r_m: float = 1.0,
        retains: bool = False,
        refractory: bool = False,
        late_reset: bool = False,
        v_start: float = 0.0,
        b_start: float = 0.0,
        surrogate: nn.Module | None = None,
        **common: Any,
    ) -> None:
        super().__init__(surrogate=MultiGaussian(strict=True) if surrogate is None else surrogate, **common)
        self.beta, self.r_m = float(beta), float(r_m)
        self.adaptive, self.accumulate, self.retains = adaptive, accumulate, retains
        self.refractory, self.late_reset = refractory, late_reset
        self.v_start, self.b_start = float(v_start), float(b_start)
        if late_reset and (self.v_reset is not None or self.without_reset):
            raise ValueError("late_reset is a time of the soft reset; give v_reset=None and no without_reset.")
        if self.v_start < 0:
            raise ValueError(f"v_start is the end of the range (0, v_start) of the first potentials, got {v_start}.")
        self.reset()

    def rest(self) -> dict[str, float]:
        return {**super().rest(), "b": self.b_start}

    def initial(self, shape: torch.Size, generator: torch.Generator | None) -> Mapping[str, float | Tensor]:
        device = None if generator is None else generator.device
        return {**self.rest(), "v": self.v_start * torch.rand(shape, generator=generator, device=device)}

    def reset(self) -> None:
        super().reset()
        if not self.v_start and self.v is None:  # nothing is drawn: the states are plain numbers
            for name, value in self.rest().items():
                setattr(self, name, value)

    def mixing(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor | None]:
        """The gates g of the membrane and r of the adaptation."""
        raise NotImplementedError

    def step(self, x: Tensor, v: Tensor, b: Tensor, s: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        return self.update(x, v, b, s, *self.mixing(x, v, b))

    def update(
        self, x: Tensor, v: Tensor, b: Tensor, s: Tensor, g: Tensor, r: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Spikes and states of a step with given gates."""
        theta: Tensor | float = self.v_threshold
        if self.adaptive:
            assert r is not None
            b = r * b + (s if self.accumulate else (1 - r) * s)
            theta = self.v_threshold + self.beta * b
        if self.refractory:
            x = x * (1 - s)
        if self.r_m != 1:
            x = self.r_m * x
        h = g * v + (1 - g) * x if self.retains else v + g * (x - v)
        if self.late_reset:
            h = h - theta * (s.detach() if self.detach_reset else s)
        s = self.surrogate(h - theta)
        if self.v_reset is not None or self.without_reset:
            return s, self.after_spike(h, s), b, s
        if self.late_reset:
            return s, h, b, s
        return s, h - theta * (s.detach() if self.detach_reset else s), b, s


class ALIF(_AdaptiveThreshold):
    """Adaptive-threshold LIF with learned constant gates g = sigmoid(p_m), r = sigmoid(p_a).

    p_m and p_a have `shape` (see neurons.parameters.Shape) and start by `start`, one of STARTS:

    "normal"     deviation 1 around 2 and 4
    "uniform"    on (-1, 1), the ASRNN of the event networks
    "saturated"  close to 20 and 200, as the e-prop network of the work has it: values of time constants in a sigmoid.
                 Both gates are 1, so the membrane is its input and the threshold never moves. Kept to be compared with;
                 as a neuron it is broken.
    """

    name = "alif"
    STARTS: ClassVar = ("normal", "uniform", "saturated")

    def __init__(self, *, shape: Shape = (), start: str = "normal", **common: Any) -> None:
        super().__init__(**common)
        if start not in self.STARTS:
            raise unknown("start of ALIF", start, self.STARTS)
        self.p_m, self.p_a = (nn.Parameter(torch.empty(dimensions(shape))) for _ in range(2))
        if start == "uniform":
            nn.init.uniform_(self.p_m, -1, 1)
            nn.init.uniform_(self.p_a, -1, 1)
        else:
            nn.init.normal_(self.p_m, *((2, 1) if start == "normal" else (20, 0.05)))
            nn.init.normal_(self.p_a, *((4, 1) if start == "normal" else (200, 0.1)))

    def mixing(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.p_m.sigmoid(), self.p_a.sigmoid()


class LTC(_AdaptiveThreshold):
    """Liquid time constants: g and r depend on current and state, by `gates` (neurons.gates).

    "diagonal" (the default): each neuron sees its own input and state. "dense": the gates of the work, which mix the
    neurons of a layer [N, C]; "conv": those of feature maps. A mapping gives options: {"name": "dense", "slope": True}.
    `shape` is that of the layer's channel-wise parameters (neurons.parameters.Shape), which dense and convolved gates
    need.
    """

    name = "ltc"

    def __init__(
        self,
        *,
        v_threshold: float = 0.1,
        shape: Shape = (),
        gates: gating.Spec = "diagonal",
        **common: Any,
    ) -> None:
        super().__init__(v_threshold=v_threshold, **common)
        self.gates = gating.create(gates, shape)
        self.pointwise = self.gates.pointwise
        if self.adaptive and not self.gates.adapts:
            raise ValueError("These gates have none for the adaptation; give adaptive=False for a constant threshold.")

    def mixing(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor | None]:
        g, r = self.gates(x, v, b)
        return g, r


class IzhikevichLike(ThresholdNeuron):
    """The quadratic neuron of the work, as released; broken there, and no neuron of the suite by name.

    V += 0.04 V^2 + 5 V + 0.14 - U + X; U += a (U V - U); S = Theta(V - 0.3), Theta(0) = 0; reset to -0.5; U += 0.08 S,
    with a = sigmoid(p_m) and U = sigmoid(p_a) at the start of every step: the released code gives the recovery variable
    the name of its gate, so what was kept of it is never read and it multiplies itself. State `b` is that recovery
    after the step.
    """

    name = "izhikevich_like"
    states = ("v", "b")

    def __init__(self, *, shape: Shape = (), surrogate: nn.Module | None = None, **common: Any) -> None:
        surrogate = MultiGaussian(strict=True) if surrogate is None else surrogate
        super().__init__(**{"v_threshold": 0.3, "v_reset": -0.5, **common}, surrogate=surrogate)
        self.p_m, self.p_a = (nn.Parameter(torch.randn(dimensions(shape))) for _ in range(2))

    def step(self, x: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        return self.update(x, v, self.p_m.sigmoid(), self.p_a.sigmoid())

    def update(self, x: Tensor, v: Tensor, a: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes and states of a step with given gates."""
        h = v + 0.04 * v.square() + 5 * v + 0.14 - u + x
        u = u + a * (u * h - u)
        s = self.fire(h)
        return s, self.after_spike(h, s), u + 0.08 * s
