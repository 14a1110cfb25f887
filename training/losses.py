"""Losses on the outputs of every time step, [T, N, classes].

A loss of these gets labels that are classes [N] (int64) or, of mixed samples, distributions over the classes
[N, classes] (float).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]  # of outputs and labels, a scalar


def rate_mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error of the firing rate against the label's distribution (PLIF, as released).

    This is the error of the time-averaged rate, not the per-step error averaged over time that the paper's Sec. 3.7
    prints; their gradients differ.
    """
    target = labels if labels.is_floating_point() else F.one_hot(labels, outputs.shape[2])
    return F.mse_loss(outputs.sum(0) / len(outputs), target.to(outputs.dtype))


def cross_entropy(outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the time-averaged logits (PSN, sequential and static CIFAR: smoothing 0.1)."""
    return F.cross_entropy(outputs.mean(0), labels, label_smoothing=label_smoothing)


def tet(
    outputs: Tensor,
    labels: Tensor,
    *,
    label_smoothing: float = 0.0,
    tet_lambda: float = 0.0,
    tet_means: float = 1.0,
) -> Tensor:
    """Temporal efficient training (Deng et al., ICLR 2022): every step has to give the answer.

    (1 - lambda) mean_t CE(out_t, y) + lambda mean((out - means)^2). PSN uses lambda = 1e-3, means = 1 on CIFAR10-DVS
    and lambda = 0 on ImageNet.
    """
    repeated = labels.expand(len(outputs), *labels.shape).flatten(0, 1)
    loss = F.cross_entropy(outputs.flatten(0, 1), repeated, label_smoothing=label_smoothing)
    if tet_lambda == 0:
        return loss
    return (1 - tet_lambda) * loss + tet_lambda * (outputs - tet_means).square().mean()
