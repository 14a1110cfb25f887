"""The spike function: an exact Heaviside forward, a smooth derivative backward."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class _Heaviside(torch.autograd.Function):
    """Theta(u) with Theta(0) = 1; `derivative(u, alpha)` stands in for its derivative."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, alpha: float | Tensor, derivative: Any) -> Tensor:
        ctx.derivative = derivative
        ctx.alpha = alpha
        ctx.save_for_backward(u)
        return (u >= 0).to(u.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        (u,) = ctx.saved_tensors
        grad_u = grad * ctx.derivative(u, ctx.alpha)
        # Every surrogate here is the derivative of some F(alpha * u), so dF/dalpha = dF/du * u / alpha.
        grad_alpha = (grad_u * u).sum() / ctx.alpha if ctx.needs_input_grad[1] else None
        return grad_u, grad_alpha, None


class ATan(nn.Module):
    """Arctangent surrogate (Fang et al. 2021, Sec. 3.6): primitive arctan(pi/2 alpha u) / pi + 1/2.

    `alpha` sets the slope; with `learnable` it is one trainable scalar.
    """

    def __init__(self, alpha: float = 2.0, learnable: bool = False) -> None:
        super().__init__()
        self.alpha: float | nn.Parameter = nn.Parameter(torch.tensor(float(alpha))) if learnable else float(alpha)

    @staticmethod
    def derivative(u: Tensor, alpha: float | Tensor) -> Tensor:
        """(alpha / 2) / (1 + (pi/2 alpha u)^2)"""
        return (alpha / 2) / (1 + (math.pi / 2 * alpha * u).square())

    def forward(self, u: Tensor) -> Tensor:
        """Spikes (0 or 1) of the distance to threshold `u`, any shape."""
        return _Heaviside.apply(u, self.alpha, self.derivative)

    def extra_repr(self) -> str:
        return f"alpha={float(self.alpha):g}" + (", learnable" if isinstance(self.alpha, nn.Parameter) else "")
