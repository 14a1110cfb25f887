"""Optimisers and learning rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import Optimizer


def adam(parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> Optimizer:
    """Adam; `weight_decay` is added to the gradient."""
    parameters = list(parameters)
    return torch.optim.Adam(parameters, lr=lr, weight_decay=weight_decay, fused=_fusible(parameters))


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


def periodic(epoch: int, *, T_max: int) -> float:
    """Share of the learning rate in `epoch`: (1 + cos(pi epoch / T_max)) / 2.

    Down to 0 in epoch `T_max` and back up, without restarts, as PLIF's released code does.
    """
    return (1 + math.cos(math.pi * epoch / T_max)) / 2


def once(epoch: int, *, T_max: int) -> float:
    """Share of the learning rate in `epoch`: down to 0 in epoch `T_max` like `periodic`, and no more after it."""
    return periodic(min(epoch, T_max), T_max=T_max)


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": adam, "adamw": adamw, "sgd": sgd}
SCHEDULES: dict[str, Callable[..., float]] = {"periodic": periodic, "once": once}
