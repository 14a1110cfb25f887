"""Backend `torch`: the neuron's own step in plain PyTorch, the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from ..base import Neuron


def refuses(neuron: type[Neuron], device: str) -> str | None:
    """None: it runs wherever PyTorch does, if the device is there."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "no CUDA device was found"
    return None


def refuses_layer(neuron: Neuron, x: Tensor | None = None) -> str | None:
    """None: every parameter is supported."""
    return None


def sequence(neuron: Neuron, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...]."""
    return neuron.sequence(x)
