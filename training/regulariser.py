"""The dynamic regulariser of forward propagation through time (Kag and Saligrama 2021; Yin et al. 2023, released code).

R(W) = (rho - 1) <W, lambda> + alpha / 2 |W - W_bar|^2. The traces W_bar, a running average of the weights W, and lambda
follow W after each update and are constants in the gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor


class DynamicRegulariser:
    """R of `weights` [P], which change in place, and its traces `average` (W_bar) and `dual` (lambda), both [P].

    `trace_alpha` takes the place of alpha where the traces follow, as in the work's detector. With `debias`, as it was
    released, lambda is never filled, so that R is 0 and what is left is an average: W_bar moves by 1 / (1 + epoch).
    """

    def __init__(
        self,
        weights: Tensor,
        *,
        alpha: float,
        beta: float = 0.5,
        rho: float = 0.0,
        trace_alpha: float | None = None,
        debias: bool = False,
    ) -> None:
        self.weights = weights.detach()
        self.alpha, self.beta, self.rho, self.debias = alpha, beta, rho, debias
        self.trace_alpha = alpha if trace_alpha is None else trace_alpha
        if self.trace_alpha <= 0:
            raise ValueError(f"The traces are divided by alpha, which is {self.trace_alpha:g}; give one above 0.")
        self.average = self.weights.clone()
        self.dual = torch.zeros_like(self.weights)

    def apply(self, gradient: Tensor) -> Tensor:
        """Adds dR/dW to `gradient` [P] in place and returns R."""
        if self.debias:
            return self.weights.new_zeros(())
        distance = self.weights - self.average
        value = (self.rho - 1) * self.weights.dot(self.dual) + self.alpha / 2 * distance.dot(distance)
        gradient.add_(distance, alpha=self.alpha).add_(self.dual, alpha=self.rho - 1)
        return value

    def follow(self, epoch: int = 0) -> None:
        """Moves the traces after an update of the weights: lambda first, then W_bar with the new lambda."""
        if self.debias:
            self.average.lerp_(self.weights, 1 / (1 + epoch))
            return
        self.dual.add_(self.weights - self.average, alpha=-self.trace_alpha)
        self.average.lerp_(self.weights, self.beta).add_(self.dual, alpha=-self.beta / self.trace_alpha)

    def settle(self) -> None:
        """Puts the average in the place of the weights; the traces stay."""
        self.weights.copy_(self.average)

    def forget(self) -> None:
        """Begins new traces at the present weights."""
        self.average.copy_(self.weights)
        self.dual.zero_()

    def state_dict(self) -> dict[str, Tensor]:
        """Both traces."""
        return {"average": self.average, "dual": self.dual}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Goes on from `state`."""
        self.average.copy_(state["average"])
        self.dual.copy_(state["dual"])
