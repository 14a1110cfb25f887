"""Losses against numbers computed by hand and PyTorch's own; tests/golden_psn.py holds TET against the vectors."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from training.losses import cross_entropy, rate_mse, tet


def test_rate_loss_by_hand() -> None:
    # four steps, rates 0.5 and 0.25 against (1, 0): ((0.5 - 1)^2 + 0.25^2) / 2 = 0.15625
    votes = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]]])
    assert rate_mse(votes, torch.tensor([0])).item() == 0.15625
    # against (0.5, 0.5): (0 + 0.25^2) / 2
    assert rate_mse(votes, torch.tensor([[0.5, 0.5]])).item() == 0.03125


def test_rate_loss_is_below_the_loss_by_steps() -> None:
    """Trap 1: the per-step loss exceeds the rate loss by the temporal variance of the output."""
    votes, labels = torch.rand(6, 5, 10), torch.arange(5)
    one_hot = F.one_hot(labels, 10)
    by_step = (votes - one_hot).square().mean()
    torch.testing.assert_close(by_step, rate_mse(votes, labels) + votes.var(0, correction=0).mean())


def test_cross_entropy_by_hand() -> None:
    # the mean over two steps is (ln 3, 0): probabilities 3/4 and 1/4
    outputs = torch.tensor([[[2 * math.log(3), 1.0]], [[0.0, -1.0]]])
    assert cross_entropy(outputs, torch.tensor([0])).item() == pytest.approx(-math.log(0.75))
    # smoothing 0.2 over two classes: the target is (0.9, 0.1)
    smoothed = -0.9 * math.log(0.75) - 0.1 * math.log(0.25)
    assert cross_entropy(outputs, torch.tensor([0]), label_smoothing=0.2).item() == pytest.approx(smoothed)
    # a label mixed 3 : 1, and the same smoothed: (0.7, 0.3)
    mixed = torch.tensor([[0.75, 0.25]])
    assert cross_entropy(outputs, mixed).item() == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    smoothed = -0.7 * math.log(0.75) - 0.3 * math.log(0.25)
    assert cross_entropy(outputs, mixed, label_smoothing=0.2).item() == pytest.approx(smoothed)


@pytest.mark.parametrize("loss", [rate_mse, cross_entropy, tet])
@pytest.mark.parametrize(("T", "N", "classes"), [(1, 1, 2), (5, 3, 7)])
def test_a_label_may_be_given_as_a_distribution(loss, T: int, N: int, classes: int) -> None:
    outputs, labels = torch.randn(T, N, classes), torch.randint(classes, (N,))
    torch.testing.assert_close(loss(outputs, labels), loss(outputs, F.one_hot(labels, classes).float()))


def test_tet_is_the_mean_over_the_steps() -> None:
    outputs, labels = torch.randn(4, 3, 5), torch.tensor([4, 0, 2])
    by_step = torch.stack([F.cross_entropy(output, labels, label_smoothing=0.1) for output in outputs]).mean()
    torch.testing.assert_close(tet(outputs, labels, label_smoothing=0.1), by_step)
    soft = torch.rand(3, 5).softmax(1)
    by_step = torch.stack([F.cross_entropy(output, soft) for output in outputs]).mean()
    distance = F.mse_loss(outputs, torch.full_like(outputs, 0.5))
    torch.testing.assert_close(tet(outputs, soft, tet_lambda=0.25, tet_means=0.5), 0.75 * by_step + 0.25 * distance)
