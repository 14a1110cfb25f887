"""Neurons whose sequence is one product over time and a threshold (PSN, masked, sliding), in as few passes as it takes.

On the CPU, up to `MOST_STEPS` steps or with one number per diagonal: one compiled pass forward, which reads x and
writes spikes, and one backward, which reads x and the spikes' gradient; nothing is kept beside x. Elsewhere: PyTorch's
product and the kernel of the threshold, which keeps the potential. Neither copies an input whose steps are dense,
whatever the order of their dimensions.
"""

from __future__ import annotations

from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

from ...base import Neuron
from ...computation import Computation, Refusal
from ...psn import ParallelNeuron
from . import call, layout, plan, pool
from .layout import Layout
from .loop import BACKENDS, Loop
from .product_kernel import MOST_STEPS, Band, ProductKernel


class Firing(Neuron):
    """The threshold of a layer alone: no state, x is the distance to threshold."""

    name = "firing"
    states = ()

    def __init__(self, surrogate: nn.Module) -> None:
        super().__init__()
        self.surrogate = surrogate

    def step(self, x: Tensor) -> tuple[Tensor]:  # type: ignore[override]
        return (self.surrogate(x),)


def covers(neuron: type[Neuron]) -> bool:
    """Whether the sequences of `neuron` are a product over time and a threshold."""
    return (
        issubclass(neuron, ParallelNeuron)
        and neuron.sequence is ParallelNeuron.sequence
        and neuron.fire is ParallelNeuron.fire
    )


def find(neuron: ParallelNeuron, T: int, dtype: torch.dtype, device: str) -> Computation | Refusal:
    """What computes sequences of `T` steps: a kernel for all of it, or one for the threshold; or why there is none."""
    if neuron.bias.numel() != 1 and (neuron.bias.ndim != 2 or neuron.bias.shape[1] != 1):
        return Refusal(
            f"{neuron.name!r} has a bias of shape {list(neuron.bias.shape)}; kernels add a number at each step"
        )
    firing = _firing(neuron)
    found = plan.find(firing, dtype, (2,), device)
    if isinstance(found, Refusal):
        return found
    whole = device == "cpu" and not found.trace.prologue and found.trace.grad_x is not None
    if whole and (T <= MOST_STEPS or neuron.diagonals() is not None):
        kernel = found.product(firing)
        return kernel if isinstance(kernel, Refusal) else _in_one(kernel)
    loop = found.loop(firing, True, False)
    return loop if isinstance(loop, Refusal) else _in_two(loop)


@lru_cache(512)
def _in_one(kernel: ProductKernel) -> Computation:
    return Computation("fused", "C++, product and threshold in one", partial(_whole, kernel))


@lru_cache(512)
def _in_two(loop: Loop) -> Computation:
    backend, kernel = BACKENDS[loop.plan.target]
    return Computation(backend, f"PyTorch's product, threshold in {kernel}", partial(_threshold, loop))


def _whole(kernel: ProductKernel, neuron: Any, x: Tensor) -> Tensor:
    """Spikes of all steps of `x` [T, N, ...], product and threshold in one kernel."""
    x, place = layout.of_sequence(x)
    T = x.shape[0]
    numbers = neuron.diagonals()
    back, ahead = neuron.reach(T)
    band = Band(back, ahead, diagonal=numbers is not None)
    matrix = neuron.matrix(T) if numbers is None else numbers
    if torch.is_grad_enabled() and (x.requires_grad or matrix.requires_grad or neuron.bias.requires_grad):
        return Whole.apply(kernel, place, band, x, matrix, neuron.bias)
    return kernel.forward(
        x, place, layout.plain(matrix, kernel.compute), layout.plain(neuron.bias, kernel.compute), band
    )


def _threshold(loop: Loop, neuron: Any, x: Tensor) -> Tensor:
    """The same by PyTorch's product and a kernel for the threshold."""
    x, place = layout.of_sequence(x)
    T = x.shape[0]
    order = sorted(range(len(place.shape)), key=lambda d: -place.strides[d])
    rows = x.permute(0, *[1 + d for d in order]).flatten(1) if order else x.unsqueeze(1)
    h = Product.apply(rows, neuron.matrix(T).to(x.dtype), neuron.bias.to(x.dtype))
    spikes = _fire(neuron, h, loop).view(T, *[place.shape[d] for d in order])
    return spikes.permute(0, *[1 + order.index(d) for d in range(len(order))])


def _firing(neuron: Any) -> Firing:
    """The layer's threshold as a neuron of its own, which the layer keeps but does not own as a part."""
    firing = neuron.__dict__.get("_threshold")
    if firing is None or firing.surrogate is not neuron.surrogate:
        firing = neuron.__dict__["_threshold"] = Firing(neuron.surrogate)
    return firing


def _fire(neuron: ParallelNeuron, h: Tensor, loop: Loop) -> Tensor:
    found = loop.plan
    raw = [attrgetter(name)(_firing(neuron)) for name in found.raw_names]
    job = call.Job([], found.raw_names, found.constants, 1)
    return call.call(loop.compiled, job, layout.of_sequence(h)[1], h, [], raw)[0]


class Whole(torch.autograd.Function):
    """Product and threshold in one kernel; see ProductKernel."""

    @staticmethod
    def forward(
        ctx: Any, kernel: ProductKernel, place: Layout, band: Band, x: Tensor, matrix: Tensor, bias: Tensor
    ) -> Tensor:
        ctx.kernel, ctx.place, ctx.band = kernel, place, band
        ctx.save_for_backward(x, matrix, bias)
        return kernel.forward(x, place, layout.plain(matrix, kernel.compute), layout.plain(bias, kernel.compute), band)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        kernel = ctx.kernel
        x, matrix, bias = ctx.saved_tensors
        of_x, of_matrix, of_bias = ctx.needs_input_grad[3:]
        with torch.no_grad():
            gx, gm, gb = kernel.backward(
                layout.rows_like(x, ctx.place),
                layout.rows_like(gy.to(kernel.dtype), ctx.place),
                ctx.place,
                layout.plain(matrix, kernel.compute),
                layout.plain(bias, kernel.compute),
                ctx.band,
                of_x=of_x,
                of_parameters=of_matrix or of_bias,
            )
            gm = gm.to(matrix.dtype) if of_matrix else None
            gb = gb.to(bias.dtype).view(bias.shape) if of_bias else None
        return (None, None, None, *call.once_only([gx, gm, gb], x, matrix, bias, gy))


class Product(torch.autograd.Function):
    """H = W X + b for rows X [T, N], W [T, T] and b that broadcasts to [T, 1], by PyTorch's product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.bias = bias.shape
        with torch.autocast(x.device.type, enabled=False):
            return torch.addmm(bias, weight, x, out=_rows(x))

    @staticmethod
    def backward(ctx: Any, gh: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            gx = torch.mm(weight.t(), gh, out=_rows(x)) if of_x else None
            gw = torch.mm(gh, x.t()) if of_weight else None
            gb = gh.sum(1, keepdim=True).sum_to_size(ctx.bias) if of_bias else None
        return tuple(call.once_only([gx, gw, gb], x, weight, gh))


def _rows(x: Tensor) -> Tensor:
    """Memory for a result like `x` [T, N], of the pool on the CPU."""
    return pool.empty(x.shape, (x.shape[1], 1), x.dtype) if x.device.type == "cpu" else torch.empty_like(x)
