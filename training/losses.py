"""Losses on the summed votes of a network."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def rate_mse(output: Tensor, steps: int, labels: Tensor) -> Tensor:
    """Mean squared error of the firing rate against the one-hot label (PLIF, as released).

    `output` [N, classes] is the sum over `steps` time steps, `labels` [N]. This is the error of the time-averaged rate,
    not the per-step error averaged over time that the paper's Sec. 3.7 prints; their gradients differ.
    """
    return F.mse_loss(output / steps, F.one_hot(labels, output.shape[1]).to(output.dtype))
