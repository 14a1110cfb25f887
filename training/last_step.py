"""Losses and decisions of networks whose last step is their answer: what came before is not asked for."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def last_cross_entropy(outputs: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the logits of the last step; `outputs` [T, N, classes], `labels` as tasks.Classes has them."""
    return F.cross_entropy(outputs[-1], labels, label_smoothing=label_smoothing)


def last_mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error of the values of the last step; `outputs` [T, N, width], `labels` [N, width]."""
    return F.mse_loss(outputs[-1], labels)


def last(outputs: Tensor) -> Tensor:
    """Class of each sample, [N]: the largest output of the last step, the lowest index among equals."""
    return outputs[-1].argmax(1)


def last_value(outputs: Tensor) -> Tensor:
    """Values of each sample, [N, width]: the outputs of the last step."""
    return outputs[-1]
