"""The neuron of networks of single spikes with a falling threshold, step by step (T2FSNN, spec section 1; DTA-TTFS).

Its closed form, which needs no steps, is in models.ttfs.functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .base import Neuron
from .surrogate import ATan


class RelPSP(Neuron):
    """Rectified linear postsynaptic potentials, one spike at most, a threshold that falls within a window.

    An input of weight w at step s adds w max(0, t - s) to the potential: the input changes its slope `i`. Time is
    counted in windows of `window` steps, K; inputs belong to the first window, steps 0 to K, and the neuron fires in
    the second, at the first step t of K to 2K with V[t] >= 2 - t / K:

    V[t] = V[t-1] + I[t-1] / K,  I[t] = I[t-1] + X[t],  S[t] = Theta(V[t] - 2 + t / K) where K <= t <= 2K, unless it
    has fired.

    At step 2K the threshold is 0: a neuron without any input fires there. `fired` is 1 after the spike, `t` the number
    of steps since the reset; `detach_reset` keeps the gradient out of `fired`. Late inputs act when they come.
    """

    name = "relpsp"
    states = ("v", "i", "fired", "t")

    def __init__(
        self, window: int = 8, *, detach_reset: bool = False, surrogate: nn.Module | None = None, **common: Any
    ) -> None:
        super().__init__(**common)
        if isinstance(window, bool) or not isinstance(window, int) or window < 1:
            raise ValueError(f"window of a RelPSP neuron is a whole number of steps, at least 1, got {window!r}.")
        self.window = window
        self.detach_reset = detach_reset
        self.surrogate = ATan() if surrogate is None else surrogate
        self.reset()

    @classmethod
    def example(cls, T: int, shape: Sequence[int] = (1,)) -> dict[str, Any]:
        return {"window": max(1, (T + 1) // 2)}

    def step(self, x: Tensor, v: Tensor, i: Tensor, fired: Tensor, t: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        h = v + i / self.window
        may_fire = ((t >= self.window) & (t <= 2 * self.window)).to(x.dtype) * (1 - fired)
        s = self.surrogate(h - (2 - t / self.window)) * may_fire
        return s, h, i + x, fired + (s.detach() if self.detach_reset else s), t + 1
