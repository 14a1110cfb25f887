"""A network that is no longer finite has diverged, whatever its loss says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import models
import tasks
from training.bptt import BPTT
from training.finite import Diverged, Finite
from training.loop import fit


@pytest.fixture(scope="module")
def digits() -> tasks.Task:
    return tasks.load("digits")


def scheme(lr: float = 1e-2) -> BPTT:
    torch.manual_seed(7)
    neuron = models.factory("plif", detach_reset=True)
    return BPTT(models.create("plif_mnist", neuron=neuron, side=8, channels=3, hidden=20, T=4), lr=lr)


def epochs(trained: BPTT, task: tasks.Task, path: Path | None = None) -> None:
    fit(trained, task, epochs=2, batch_size=128, seed=3, device="cpu", path=path)


def test_weights_that_overflow_end_the_training_though_the_loss_is_finite(digits: tasks.Task, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match=r"^static_conv.0.weight became nan in epoch 0; no longer .* more$"):
        epochs(scheme(lr=1e38), digits, tmp_path / "c.pt")
    assert not list(tmp_path.iterdir())  # no checkpoint holds such a network


def test_one_weight_is_enough(digits: tasks.Task) -> None:
    broken = scheme()
    with torch.no_grad():
        broken.network.static_conv[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(Diverged, match="nan in epoch 0"):
        epochs(broken, digits)


def test_so_is_a_buffer(digits: tasks.Task) -> None:
    broken = scheme()
    broken.network.register_buffer("mean", torch.zeros(3))
    broken.network.register_forward_hook(lambda network, _x, _out: (network.mean.div_(0.0), None)[1])
    with pytest.raises(Diverged, match=r"^mean became nan in epoch 0$"):
        epochs(broken, digits)


def test_a_mask_of_infinities_is_no_divergence() -> None:
    network = nn.Linear(2, 2)
    network.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    network.register_buffer("count", torch.tensor(3))
    finite = Finite(network)
    finite.check(0)
    network.mask[0] = torch.nan
    with pytest.raises(Diverged, match=r"^mask became nan in epoch 1$"):
        finite.check(1)


@pytest.mark.parametrize("held", [-torch.inf, torch.nan])
def test_a_parameter_that_is_not_trained_may_hold_what_it_held(held: float) -> None:
    network = nn.Linear(2, 2)
    network.mask = nn.Parameter(torch.tensor([0.0, held]), requires_grad=False)
    finite = Finite(network)
    finite.check(0)
    with torch.no_grad():
        network.bias[0] = torch.inf
    with pytest.raises(Diverged, match=r"^bias became infinite in epoch 1$"):
        finite.check(1)


def test_a_loss_alone_is_named_alone() -> None:
    with pytest.raises(Diverged, match=r"^the training loss became inf in epoch 4$"):
        Finite(nn.Linear(2, 2)).check(4, float("inf"))
    Finite(nn.Identity()).check(0)
