"""Runs a layer on the fused and on the eager backend and compares everything that comes out."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from neurons.base import Neuron


@dataclass
class Run:
    """What a layer gave for a sequence, and the gradients of a weighted sum of its spikes and final states."""

    spikes: Tensor
    states: list[Tensor]
    grad_x: Tensor | None
    grads: dict[str, Tensor | None]


def run(neuron: Neuron, backend: str, x: Tensor, cuts: tuple[int, ...] = (), state_weight: float = 1.0) -> Run:
    """`x` through a copy of `neuron`, in pieces that begin at `cuts`, and back."""
    neuron = copy.deepcopy(neuron)
    neuron.backend = backend
    leaf = x.detach().requires_grad_()  # keeps the strides
    spikes = torch.cat([neuron(piece) for piece in leaf.tensor_split(cuts)])
    states = [value for name in neuron.states if isinstance(value := getattr(neuron, name), Tensor)]
    generator = torch.Generator().manual_seed(7)
    loss = (spikes * torch.randn(spikes.shape, generator=generator, dtype=spikes.dtype)).sum()
    for state in states:
        weight = torch.randn(state.shape, generator=generator, dtype=state.dtype)
        loss = loss + state_weight * (state * weight).sum().to(loss.dtype)
    loss.backward()
    return Run(
        spikes.detach(), [s.detach() for s in states], leaf.grad, {n: p.grad for n, p in neuron.named_parameters()}
    )


def assert_same(neuron: Neuron, x: Tensor, *, cuts: tuple[int, ...] = (), gradient: float = 1e-5) -> Run:
    """Spikes equal bit for bit, states to a rounding, gradients to `gradient` of the largest; the fused run.

    The gradient of a parameter is a sum of terms as large as the gradient of x, and may cancel.
    """
    fused, eager = run(neuron, "fused", x, cuts), run(neuron, "torch", x, cuts)
    assert torch.equal(fused.spikes, eager.spikes), f"{int((fused.spikes != eager.spikes).sum())} spikes differ"
    for ours, theirs in zip(fused.states, eager.states, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    pairs = [(fused.grad_x, eager.grad_x), *((fused.grads[n], eager.grads[n]) for n in eager.grads)]
    term = 0.0 if eager.grad_x is None else float(eager.grad_x.abs().max())
    for ours, theirs in pairs:
        if theirs is None or ours is None:
            assert ours is theirs or not (theirs if ours is None else ours).any()
        else:
            assert ours.shape == theirs.shape
            assert float((ours - theirs).abs().max()) <= gradient * max(float(theirs.abs().max()), term, 1e-30)
    return fused


def drive(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """An input that makes most neurons fire now and then."""
    return (torch.randn(shape) * 1.5 + 0.8).to(dtype)
