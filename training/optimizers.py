"""Optimisers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import Optimizer

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def adam(
    parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0, amsgrad: bool = False
) -> Optimizer:
    """Adam; `weight_decay` is added to the gradient, `amsgrad` divides by the largest second moment so far."""
    parameters = list(parameters)
    fused = _fusible(parameters)
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay, amsgrad=amsgrad, fused=fused)


def adamax(parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> Optimizer:
    """Adam with the infinity norm; `weight_decay` is added to the gradient."""
    return torch.optim.Adamax(parameters, lr=lr, weight_decay=weight_decay)


def adamw(parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> Optimizer:
    """Adam with decoupled weight decay: by default none, where PyTorch's own default is 0.01."""
    parameters = list(parameters)
    return torch.optim.AdamW(parameters, lr=lr, weight_decay=weight_decay, fused=_fusible(parameters))


def sgd(
    parameters: Iterable[nn.Parameter], *, lr: float, momentum: float = 0.0, weight_decay: float = 0.0
) -> Optimizer:
    """Stochastic gradient descent with heavy-ball momentum."""
    parameters = list(parameters)
    fused = _fusible(parameters)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=fused)


def _fusible(parameters: list[nn.Parameter]) -> bool:
    """Whether PyTorch has the update as one kernel: the fastest way where it exists."""
    return all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
