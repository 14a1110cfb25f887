"""The recurrent layer of the SuperSpike form with all steps in one piece: no graph of single steps.

Its gradients are those of the adjoint equations (spec: first_spike 1.4 and 1.7). With G_v[t] and G_i[t] the gradients
of the states before step t, from zero behind the last one, and R the feedback:

    dL/dX[t] = G_i[t+1]    g_s[t] = dL/dS[t] + R' G_i[t+1]
    G_v[t] = beta G_v[t+1] (1 - S[t]) + g_s[t] sigma'(V[t] - theta)
    G_i[t] = alpha G_i[t+1] + (1 - beta) G_v[t+1]
    dL/dbeta = sum (V[t] (1 - S[t]) - I[t]) G_v[t+1]    dL/dalpha = sum I[t] G_i[t+1]    dL/dR = sum G_i[t+1] S[t]'
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurons.current_based import CuLIF, PCuLIF
from neurons.surrogate import FastSigmoid

from .. import NeuronFactory
from . import sparse_cpp, whole_cpp
from .dense import fed_back
from .fast import fast
from .feedback import SameStep
from .layers import EventNet
from .sparse import MOST


class WholeSameStep(SameStep):
    """SameStep for CuLIF and PCuLIF with the surrogate, the reset and the start of the work; what differs runs step by
    step."""

    def advance(self, x: Tensor) -> Tensor:
        if self.step_mode != "m" or not self._fits(x):
            return super().advance(x)
        neuron, feedback = self.neuron, self.feedback
        assert isinstance(neuron, CuLIF | PCuLIF)
        assert isinstance(feedback, nn.Linear)
        decays: list[Tensor] = [neuron.p_m, neuron.p_s] if isinstance(neuron, PCuLIF) else []
        if isinstance(neuron, CuLIF):
            decays = [x.new_tensor(math.exp(-1 / tau)) for tau in (neuron.tau_m, neuron.tau_s)]
        steps = _Compiled if _compiled(x, feedback.weight) else _Steps
        spikes, v, i = steps.apply(x, feedback.weight, *decays, neuron.v_threshold, neuron.surrogate.slope)
        neuron.store_states([v, i])
        self.spikes = spikes[-1]
        return spikes

    def _fits(self, x: Tensor) -> bool:
        neuron, feedback = self.neuron, self.feedback
        if not isinstance(neuron, CuLIF | PCuLIF) or type(feedback) is not nn.Linear or x.ndim != 3:
            return False
        parts = (neuron, feedback, neuron.surrogate)
        return (
            neuron.late
            and neuron.detach_reset
            and not neuron.without_reset
            and neuron.v_reset == 0
            and type(neuron.surrogate) is FastSigmoid
            and neuron.surrogate.strict
            and isinstance(neuron.surrogate.slope, float)
            and feedback.bias is None
            and not any(isinstance(getattr(neuron, name), Tensor) for name in neuron.states)  # at rest
            and not any(part._forward_hooks or part._forward_pre_hooks for part in parts)
            and not torch.is_autocast_enabled(x.device.type)
            and not torch.compiler.is_compiling()
            and not torch._C._functorch.is_functorch_wrapped_tensor(x)
        )


class _Steps(torch.autograd.Function):
    """Spikes [T, N, width] and the states after the last step, without a gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, beta: Tensor, alpha: Tensor, theta: float, slope: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        v, i = (x.new_zeros((len(x) + 1, *x.shape[1:])) for _ in range(2))
        spikes, turned = torch.empty_like(x), weight.t()
        rest = 1 - beta
        for t in range(len(x)):
            torch.gt(v[t] - theta, 0, out=spikes[t])
            torch.mul(beta * v[t], 1 - spikes[t], out=v[t + 1]).add_(rest * i[t])
            torch.add(alpha * i[t], x[t] + spikes[t] @ turned, out=i[t + 1])
        ctx.save_for_backward(weight, beta, alpha, spikes, v, i)
        ctx.theta, ctx.slope = theta, slope
        last = v[-1].clone(), i[-1].clone()
        ctx.mark_non_differentiable(*last)
        return spikes, *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        weight, beta, alpha, spikes, v, i = ctx.saved_tensors
        silent = 1 - spikes
        shape = (ctx.slope * (v[:-1] - ctx.theta).abs() + 1).square_().reciprocal_()
        of_v, of_i = torch.empty_like(spikes), torch.empty_like(spikes)  # behind step t
        g_v, g_i = torch.zeros_like(spikes[0]), torch.zeros_like(spikes[0])
        rest = 1 - beta
        for t in reversed(range(len(spikes))):
            of_v[t], of_i[t] = g_v, g_i
            at_spikes = torch.addmm(gradient[t], g_i, weight)
            g_i = torch.addcmul(rest * g_v, alpha.expand_as(g_i), g_i)
            g_v = torch.addcmul(at_spikes.mul_(shape[t]), beta * g_v, silent[t])
        width = spikes.shape[-1]
        g_weight = of_i.reshape(-1, width).t() @ spikes.reshape(-1, width)
        g_beta = (v[:-1] * silent - i[:-1]).mul_(of_v).sum_to_size(beta.shape) if beta.requires_grad else None
        g_alpha = (i[:-1] * of_i).sum_to_size(alpha.shape) if alpha.requires_grad else None
        return of_i, g_weight, g_beta, g_alpha, None, None


def _compiled(x: Tensor, weight: Tensor) -> bool:
    plain = all(tensor.dtype is torch.float32 and tensor.device.type == "cpu" for tensor in (x, weight))
    return plain and x.numel() > 0 and whole_cpp.LIBRARY.functions is not None


class _Compiled(torch.autograd.Function):
    """_Steps in float32 on a CPU with a compiler; what few spikes are sent, and the gradient of R, are sparse."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, beta: Tensor, alpha: Tensor, theta: float, slope: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        T, N, width = x.shape
        v, i = (x.new_empty((T + 1, N, width)) for _ in range(2))
        v[0], i[0] = 0, 0
        spikes = torch.empty((T, N, width))
        wide = [decay.detach().expand(width).contiguous() for decay in (beta, alpha)]
        arrays = [x.contiguous(), weight.t().contiguous(), *wide, spikes, v, i]
        whole_cpp.LIBRARY.call("forward", arrays, N, (T, N, width), (theta,))
        ctx.save_for_backward(weight, beta, alpha, *wide, spikes, v, i)
        ctx.theta, ctx.slope = theta, slope
        last = v[-1].clone(), i[-1].clone()
        ctx.mark_non_differentiable(*last)
        return spikes, *last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:
        weight, beta, alpha, *wide, spikes, v, i = ctx.saved_tensors
        T, N, width = spikes.shape
        of_v, of_i = torch.empty_like(v), torch.empty_like(i)  # before step t; behind the last one there is none
        of_v[-1], of_i[-1] = 0, 0
        of_decays = [torch.zeros(N, width) for _ in range(2)]
        at_spikes, scalars = torch.empty(N, width), (ctx.theta, ctx.slope)
        for t in reversed(range(T)):
            torch.addmm(gradient[t], of_i[t + 1], weight, out=at_spikes)
            around = [at_spikes, of_v[t + 1], of_i[t + 1], of_v[t], of_i[t], *of_decays]
            whole_cpp.LIBRARY.call("back", [*wide, spikes[t], v[t], i[t], *around], N, (T, N, width), scalars)
        into = of_i[1:].reshape(-1, width)
        found = sparse_cpp.entries(spikes, MOST)
        of_weight = sparse_cpp.transposed_product(found, into) if found else spikes.reshape(-1, width).t() @ into
        of_beta, of_alpha = (
            total.sum_to_size(decay.shape) if decay.requires_grad else None
            for total, decay in zip(of_decays, (beta, alpha), strict=True)
        )
        return of_i[1:], of_weight.t(), of_beta, of_alpha, None, None


def whole_fed_back(neuron: NeuronFactory, **options: Any) -> EventNet:
    """models.first_spike.dense.fed_back, of the same options and start, its layers in one piece where they can be."""
    network = fast(fed_back(neuron, **options))
    for layer in network.fc.modules():
        if type(layer) is SameStep:
            layer.__class__ = WholeSameStep
    return network
