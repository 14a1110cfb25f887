"""Learned parameters of neurons: one per layer, per channel or per neuron."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

Shape = int | tuple[int, ...]
"""Shape of a parameter, broadcast against one step's input [N, ...]: () one per layer, `C` one per neuron of
[N, C], (C, 1, 1) one per channel of [N, C, H, W]."""


def dimensions(shape: Shape) -> tuple[int, ...]:
    """`shape` as a tuple."""
    return (shape,) if isinstance(shape, int) else tuple(shape)


def constant(value: float, shape: Shape = ()) -> nn.Parameter:
    """A parameter that starts at `value` everywhere."""
    return nn.Parameter(torch.full(dimensions(shape), float(value)))


def logit(probability: float) -> float:
    """The x with sigmoid(x) = `probability`; ValueError outside (0, 1)."""
    if not 0 < probability < 1:
        raise ValueError(f"A parameter stored as a logit must lie between 0 and 1, got {probability}.")
    return math.log(probability / (1 - probability))


def raw_decay(tau: float, what: str) -> float:
    """The p with sigmoid(p) = exp(-1 / tau), `tau` in steps; ValueError unless it is greater than 1 and finite."""
    if not 1 < tau < math.inf:
        raise ValueError(f"{what} must be greater than 1 and finite, got {tau}.")
    return -math.log(math.expm1(1 / tau))


def tau_of(raw: Tensor) -> Tensor:
    """The time constant in steps of a raw decay."""
    return -1 / raw.detach().sigmoid().log()


def learned_tau(**raw: Tensor) -> dict[str, float]:
    """Time constants by name of those raw decays that are one number."""
    return {name: float(tau_of(value)) for name, value in raw.items() if value.ndim == 0}
