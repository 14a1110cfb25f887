"""The closed form of a layer of `relpsp` neurons and its event-driven gradient, as autograd functions.

An input spike at t_i adds w_i max(0, t - t_i) to a potential. All inputs of a layer fire in [0, T], before its own
window [T, 2T] opens, where the potential is a straight line: V(t) = S t - I with S the sum of w_i and I the sum of
w_i t_i over the inputs that fired. The threshold is a straight line, too, 2T - t, so that there is one crossing,
t = (2T + I) / (1 + S) (T2FSNN spec, section 1). Times are local to a window: inputs and outputs lie in [0, T], infinity
is a neuron that stays silent.

A neuron that no input spike reaches has S = I = 0 and fires at exactly T.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from . import passes
from .numerics import Numerics
from .plain import times_of as times_of


class Operator(Protocol):
    """A linear map of inputs [N, ...] by weights, and its two adjoints."""

    def arranged(self, x: Tensor) -> Tensor:
        """The same inputs, dense, in the layout that the map is fastest with."""

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        """Outputs [N, ...]."""

    def to_weight(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the weights, in the shape of `weight`, given that of the outputs."""

    def to_input(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        """The gradient of the inputs, for as many samples as `grad` has; of `x` the shape of a sample counts alone."""


class Product(NamedTuple):
    """[N, inputs] -> [N, outputs] by weights [outputs, inputs]."""

    def arranged(self, x: Tensor) -> Tensor:
        return x.contiguous()

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.linear(x, weight)

    def to_weight(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return grad.T @ x

    def to_input(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return grad @ weight


class Convolution(NamedTuple):
    """[N, C, H, W] -> [N, C', H', W'] by weights [C', C, h, w], zero padding."""

    stride: tuple[int, int]
    padding: tuple[int, int]

    def arranged(self, x: Tensor) -> Tensor:
        beside = x.device.type == "cpu" and x.dtype == torch.float32  # there, narrow maps are several times faster so
        return x.contiguous(memory_format=torch.channels_last if beside else torch.contiguous_format)

    def apply(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(x, weight, None, self.stride, self.padding)

    def to_weight(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return self._backward(grad, x, weight, [False, True, False])[1]

    def to_input(self, grad: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        return self._backward(grad, x[: len(grad)], weight, [True, False, False])[0]

    def _backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            grad, x, weight, None, self.stride, self.padding, (1, 1), False, (0, 0), 1, wanted
        )
        return found


class Fire(torch.autograd.Function):
    """Spike times [N, ...] of the inputs and weights -> spike times [N, ...] of the outputs, local to their window.

    Backward, with the gradients gI of I and gS of S (models.ttfs.plain): a weight gets gI t_i + gS, an input gI w_i.
    Released numerics clip gI and gS each, and send to silent inputs what no layer below uses; the corrected ones send
    nothing there.
    """

    @staticmethod
    def forward(ctx: Any, times: Tensor, weight: Tensor, operator: Operator, numerics: Numerics) -> Tensor:
        inputs, all_fire = passes.split(operator.arranged(times))
        sums = operator.apply(inputs, weight)  # one pass for both
        out = passes.fire(sums, len(times), numerics)
        ctx.save_for_backward(inputs, weight, sums[len(times) :], out)
        ctx.operator, ctx.numerics, ctx.all_fire = operator, numerics, all_fire
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        inputs, weight, S, out = ctx.saved_tensors
        to_sums = passes.gradients(grad, S, out, ctx.numerics)
        to_times = to_weight = None
        if ctx.needs_input_grad[1]:
            to_weight = ctx.operator.to_weight(to_sums, inputs, weight)
        if ctx.needs_input_grad[0]:
            to_times = ctx.operator.to_input(to_sums[: len(grad)], inputs, weight)
            if not (ctx.numerics.released or ctx.all_fire):
                to_times = to_times * inputs[len(grad) :]
        return to_times, to_weight, None, None


class Earliest(torch.autograd.Function):
    """The earliest of each field of kernel x kernel, [..., H, W] -> [..., H', W']; the gradient goes to it alone."""

    @staticmethod
    def forward(ctx: Any, times: Tensor, kernel: int, stride: int) -> Tensor:
        out, where = passes.earliest(times, kernel, stride)
        ctx.save_for_backward(where)
        ctx.shape = times.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (where,) = ctx.saved_tensors
        return passes.spread(grad, where, ctx.shape), None, None


class Potential(torch.autograd.Function):
    """Spike times [N, inputs] and weights [outputs, inputs] -> potentials [N, outputs] at the end of the window.

    V = sum of w_i (2T - t_i) over the inputs that fired: these neurons never fire. Backward, an input gets -w_i;
    released numerics send it to those with t_i < T alone.
    """

    @staticmethod
    def forward(ctx: Any, times: Tensor, weight: Tensor, numerics: Numerics) -> Tensor:
        left = (2 * numerics.window - times).masked_fill(times == inf, 0.0)
        ctx.save_for_backward(times, left, weight)
        ctx.numerics = numerics
        return F.linear(left, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        times, left, weight = ctx.saved_tensors
        to_times = to_weight = None
        if ctx.needs_input_grad[0]:
            counts = times < ctx.numerics.window if ctx.numerics.released else times < inf
            to_times = torch.where(counts, -(grad @ weight), 0.0)
        if ctx.needs_input_grad[1]:
            to_weight = grad.T @ left
        return to_times, to_weight, None
