"""Backend `torch`: the neuron's own step in plain PyTorch, the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..computation import Computation, Refusal

if TYPE_CHECKING:
    from ..base import Neuron


def refuses(neuron: type[Neuron], device: str) -> Refusal | None:
    """None: it runs wherever PyTorch does, if the device is there."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return Refusal("no CUDA device was found")
    return None


def find(neuron: Neuron, x: Tensor | None = None) -> Computation:
    """What computes the layer: every parameter is supported."""
    return _EAGER


def sequence(neuron: Neuron, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...]."""
    return neuron.sequence(x)


def in_graph(neuron: Neuron, x: Tensor) -> tuple[Any, ...]:
    """What computes sequences in a graph of torch.compile, and what it needs beside layer and input."""
    return sequence, ()


_EAGER = Computation("torch", "the plain sequence", sequence)
