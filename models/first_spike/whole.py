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
from .dense import fed_back
from .fast import with_fast_ends
from .feedback import SameStep
from .layers import EventNet


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
        slope = neuron.surrogate.slope
        spikes, v, i = _Steps.apply(x, feedback.weight, *decays, neuron.v_threshold, slope)
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


def whole_fed_back(neuron: NeuronFactory, **options: Any) -> EventNet:
    """models.first_spike.dense.fed_back, of the same options and start, its layers in one piece where they can be."""
    network = with_fast_ends(fed_back(neuron, **options))
    for layer in network.fc.modules():
        if type(layer) is SameStep:
            layer.__class__ = WholeSameStep
    return network
