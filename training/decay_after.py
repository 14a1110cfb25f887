"""Optimisers whose weights decay after the step (T2FSNN); AdamW's do so before it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer

from .optimizers import adam, sgd


def adam_then_decay(parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> Optimizer:
    """Adam, after whose step weights are multiplied by 1 - lr `weight_decay`."""
    return _then_decay(adam(parameters, lr=lr), weight_decay)


def sgd_then_decay(parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float = 0.0) -> Optimizer:
    """Plain stochastic gradient descent, after whose step weights are multiplied by 1 - lr `weight_decay`."""
    return _then_decay(sgd(parameters, lr=lr), weight_decay)


def _then_decay(optimizer: Optimizer, weight_decay: float) -> Optimizer:
    @torch.no_grad()
    def decay(stepped: Optimizer, *_: object) -> None:
        for group in stepped.param_groups:
            for parameter in group["params"]:
                parameter.mul_(1 - group["lr"] * weight_decay)

    if weight_decay:
        optimizer.register_step_post_hook(decay)
    return optimizer
