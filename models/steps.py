"""Layers that tell the steps of a sequence apart."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurons.base import STEP_MODES

from .stateful import Stateful, fitting


class TimeBatchNorm1d(Stateful):
    """Batch norm with statistics, and running ones, of each step by itself: [T, N, C] or, in step mode "s", [N, C].

    All steps share weight (which starts at `weight`) and bias; `running_mean` and `running_var` are [T, C]. It counts
    the steps `t` since the last reset, at most `T` (ValueError). Spec: FPTT 4.2.
    """

    memory = ("t",)
    t: int
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        features: int,
        T: int,
        *,
        weight: float = 1.0,
        momentum: float = 0.1,
        eps: float = 1e-5,
        step_mode: str = "m",
    ) -> None:
        super().__init__()
        if step_mode not in STEP_MODES:
            raise ValueError(f"Unknown step mode {step_mode!r}. Known: 's' (one step), 'm' (a sequence).")
        self.weight = nn.Parameter(torch.full((features,), float(weight)))
        self.bias = nn.Parameter(torch.zeros(features))
        self.momentum, self.eps, self.step_mode = momentum, eps, step_mode
        self.register_buffer("running_mean", torch.zeros(T, features))
        self.register_buffer("running_var", torch.ones(T, features))

    def initial(self) -> dict[str, int]:
        return {"t": 0}

    def advance(self, x: Tensor) -> Tensor:
        if self.step_mode == "s":
            return self.advance_by(x.unsqueeze(0)).squeeze(0)
        return self.advance_by(x)

    def advance_by(self, x: Tensor) -> Tensor:
        """The next steps [T, N, C]: steps side by side are features of one batch norm."""
        first, T = self.t, len(self.running_mean)
        last = first + len(x)
        if last > T:
            raise ValueError(
                f"This batch norm has statistics of T={T} steps, {last} were given since the last reset(). Call "
                "reset() between sequences or create it with a larger T."
            )
        self.t = last
        steps, samples, features = x.shape
        normed = F.batch_norm(
            x.transpose(0, 1).reshape(samples, steps * features),
            self.running_mean[first:last].view(-1),  # a view, so that the running statistics move in place
            self.running_var[first:last].view(-1),
            self.weight if steps == 1 else self.weight.repeat(steps),
            self.bias if steps == 1 else self.bias.repeat(steps),
            self.training,
            self.momentum,
            self.eps,
        )
        return normed.view(samples, steps, features).transpose(0, 1)

    def extra_repr(self) -> str:
        return f"{self.running_mean.shape[1]}, T={len(self.running_mean)}, step_mode={self.step_mode!r}"


class Lagged(Stateful):
    """`direct`(X[t]) + `lagged`(X[t-1]), X = 0 before the first step, [T, N, ...]."""

    memory = ("x",)

    def __init__(self, direct: nn.Module, lagged: nn.Module) -> None:
        super().__init__()
        self.direct, self.lagged = direct, lagged

    def advance(self, x: Tensor) -> Tensor:
        before = torch.cat([fitting(self.x, x[0], "The inputs kept").unsqueeze(0), x[:-1]])
        self.x: Tensor | None = x[-1]
        return self.direct(x) + self.lagged(before)
