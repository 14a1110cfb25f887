"""First-spike coding and rate coding of spiking outputs (Liu, Leung and Dragotti 2023), as losses and decisions.

Outputs are spikes [T, N, classes], or spikes and potentials [T, N, 2, classes] (models.spikes). A step k = 1 ... T is
the time of a spike. A neuron that never fires has the time T + r, r its place (from 1) among all neurons of its sample
by their largest potential; without potentials, and among equals, by their number. Spec: first_spike 2.1 to 2.5.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def spikes_of(outputs: Tensor) -> Tensor:
    """The spikes [T, N, classes] in `outputs`; ValueError where there are other values than 0 and 1."""
    spikes = outputs[:, :, 0] if outputs.ndim == 4 else outputs
    if outputs.ndim not in (3, 4) or (outputs.ndim == 4 and outputs.shape[2] != 2):
        raise ValueError(
            "Spikes [T, N, classes], or spikes and potentials [T, N, 2, classes], are needed; the outputs have shape "
            f"{list(outputs.shape)}."
        )
    if not ((spikes == 0) | (spikes == 1)).all():
        raise ValueError(
            "The outputs are no spikes: they hold values other than 0 and 1. Choose a network whose last layer fires, "
            "or another loss, decision and measures."
        )
    return spikes


def window(T: int, D: int) -> Tensor:
    """The Gaussian of deviation floor(T / D) and peak 1 by which the error of a time reaches the steps around it.

    Its length is odd, 6 deviations or about T where that is less. ValueError where D is larger than T.
    """
    sigma = T // D
    if sigma < 1:
        raise ValueError(f"The window's deviation is the part 1/D of the sequence: D={D} is more than its {T} steps.")
    half = min(3 * sigma, T // 2)
    steps = torch.arange(-half, half + 1, dtype=torch.float64)
    return (-(steps**2) / (2 * sigma**2)).exp()


def spread_error(error: Tensor, fired: Tensor, first: Tensor, T: int) -> Tensor:
    """The error of each time [N, classes] at its step, that of a neuron that never fired at all: [T, N, classes]."""
    steps = torch.arange(T, device=error.device)[:, None, None]
    return torch.where(~fired | (steps == first), error, 0.0)


class _FirstTimes(torch.autograd.Function):
    """Times [N, classes]; backward, dL/dS = -A times the error at the steps, convolved with the window."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, order: Tensor, D: int, A: float) -> Tensor:
        T = len(spikes)
        fired, first = spikes.any(0), spikes.argmax(0)
        ctx.save_for_backward(fired, first)
        ctx.T, ctx.D, ctx.A = T, D, A
        return torch.where(fired, first + 1, T + order).to(spikes.dtype)

    @staticmethod
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor, None, None, None]:
        fired, first = ctx.saved_tensors
        at_steps = spread_error(error, fired, first, ctx.T)
        kernel = window(ctx.T, ctx.D).to(error)
        rows = at_steps.flatten(1).T.unsqueeze(1)
        spread = F.conv1d(rows, kernel[None, None], padding=len(kernel) // 2)
        return -ctx.A * spread.squeeze(1).T.reshape(at_steps.shape), None, None, None


def first_times(outputs: Tensor, *, D: int = 16, A: float = 200.0) -> Tensor:
    """Time of the first spike of each output neuron, [N, classes], in steps from 1; see the module for silent ones.

    Its gradient reaches the spikes around that time, by `window` and -`A`; that of a silent neuron all of its steps.
    """
    spikes = spikes_of(outputs)
    if spikes.dtype in (torch.float16, torch.bfloat16):  # which cannot count to T
        spikes = spikes.float()
    if outputs.ndim == 4:
        highest = outputs[:, :, 1].detach().amax(0)
        order = highest.argsort(dim=1, descending=True, stable=True).argsort(1) + 1
    else:
        order = torch.arange(1, spikes.shape[2] + 1, device=spikes.device).expand(spikes.shape[1:])
    return _FirstTimes.apply(spikes, order, D, A)


def loss_of_times(
    times: Tensor, labels: Tensor, *, T: int, alpha: float, treg_lambda: float = 0.0, treg_beta: float = 0.02
) -> Tensor:
    """Cross-entropy of the softmax of -`alpha` t, and `treg_lambda` (exp(`treg_beta` t) - 1) of a label that never
    fired (t > T)."""
    loss = F.cross_entropy(-alpha * times, labels)
    if not treg_lambda:
        return loss
    shares = labels if labels.is_floating_point() else F.one_hot(labels, times.shape[1])
    late = torch.where(times > T, times, 0.0)
    return loss + treg_lambda * (shares * (treg_beta * late).expm1()).sum(1).mean()


def first_spike_loss(
    outputs: Tensor,
    labels: Tensor,
    *,
    alpha: float = 0.2,
    D: int = 16,
    A: float = 200.0,
    treg_lambda: float = 0.01,
    treg_beta: float = 0.02,
) -> Tensor:
    """FS loss: the label's neuron is to fire first. `labels` as training.losses has them."""
    times = first_times(outputs, D=D, A=A)
    return loss_of_times(times, labels, T=len(outputs), alpha=alpha, treg_lambda=treg_lambda, treg_beta=treg_beta)


def firing_rate_loss(outputs: Tensor, labels: Tensor, *, alpha: float = 20.0) -> Tensor:
    """FR loss: cross-entropy of the softmax of `alpha` times the rates over all steps. `labels` as training.losses."""
    return F.cross_entropy(alpha * spikes_of(outputs).mean(0), labels)


def first_spike(outputs: Tensor) -> Tensor:
    """Class of each sample, [N]: the neuron that fires first, the lowest index among equals; where none fires, the one
    with the highest potential."""
    return first_times(outputs).argmin(1)


def firing_rate(outputs: Tensor) -> Tensor:
    """Class of each sample, [N]: the neuron with the most spikes, the lowest index among equals."""
    return spikes_of(outputs).sum(0).argmax(1)
