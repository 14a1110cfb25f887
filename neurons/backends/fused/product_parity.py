"""The proof that a kernel of a product over time owes before it is used: the spikes and gradients of plain PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core.compare import CLOSE, relative, tolerance

from ...base import Neuron
from . import layout
from .product_kernel import Band, ProductKernel

NEURONS = 67
_CASES = [(T, band) for T in (1, 4, 21) for band in (Band(T - 1, T - 1), Band(2, 0), Band(2, 0, diagonal=True))]


def verdict(kernel: ProductKernel, firing: Neuron) -> str | None:
    """None for a kernel that agrees with the product and `firing`, a stateless neuron, in float64; else what differs.
    Agreement is remembered beside the library."""
    key = f"agrees with torch {torch.__version__}"
    if kernel.library.note.get(key) is True:
        return None
    for T, band in _CASES:
        found = _check(kernel, firing, T, band)
        if found:
            source = kernel.library.path.with_suffix(".cpp")
            return f"the kernel of a product over time is wrong: {found}, T={T}, {band} (source: {source})"
    kernel.library.write_note(**{key: True})
    return None


def _check(kernel: ProductKernel, firing: Neuron, T: int, band: Band) -> str | None:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int, dtype: torch.dtype = kernel.compute) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    x, gy = draw(T, NEURONS, dtype=kernel.dtype), draw(T, NEURONS, dtype=kernel.dtype)
    numbers, bias = (draw(band.before + 1), draw(1)) if band.diagonal else (draw(T, T), draw(T))
    if not band.diagonal:
        numbers = numbers.tril(band.after).triu(-band.before)
    place = layout.of_sequence(x)[1]
    found: tuple[Any, ...] = (
        kernel.forward(x, place, numbers, bias, band),
        *kernel.backward(x, gy, place, numbers, bias, band, of_x=True, of_parameters=True),
    )
    h, expected = _reference(firing, x, gy, numbers, bias, band)
    if bool(((found[0] != expected[0]) & (h.abs() > CLOSE)).any()):
        return "spikes differ"
    for name, value, right in zip(("x", "the matrix", "the bias"), found[1:], expected[1:], strict=True):
        error = relative(value, right, at_least=1.0)
        if not error <= tolerance("use", kernel.dtype):
            return f"the gradient of {name} is off by {error:.2g} of its largest value"
    return None


def _reference(
    firing: Neuron, x: Tensor, gy: Tensor, numbers: Tensor, bias: Tensor, band: Band
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What the threshold sees, and spikes and gradients, in float64."""
    T = len(x)
    with torch.enable_grad():
        leaves = [t.double().requires_grad_() for t in (x, numbers, bias)]
        matrix = leaves[1]
        if band.diagonal:
            steps = torch.arange(T)
            place = steps[None, :] - steps[:, None] + band.before  # of the number that stands at [i][j]
            inside = (place >= 0) & (place <= band.before)
            matrix = torch.where(inside, leaves[1][place.clamp(0, band.before)], 0.0)
        h = matrix @ leaves[0] + leaves[2][:, None]
        (y,) = firing.step(h)
        gradients = list(torch.autograd.grad(y, leaves, gy.double()))
    if not band.diagonal:
        gradients[1] = gradients[1].tril(band.after).triu(-band.before)
    return h.detach(), (y.detach().to(x.dtype), *gradients)
