"""Inputs of a measurement: currents that make many neurons fire at every step, and an output gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MEAN, DEVIATION = 0.8, 1.5


def currents(shape: tuple[int, ...], dtype: str, device: str) -> tuple[Tensor, Tensor]:
    """Normal currents and a normal output gradient of `shape`, the same for the same shape."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).mul_(DEVIATION).add_(MEAN)
    g = torch.randn(shape, generator=generator)
    kind = getattr(torch, dtype)
    return x.to(device, kind), g.to(device, kind)
