"""Forward propagation through time trains networks of every kind of the suite, not those of its work alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import models
from training.fptt import FPTT

REGULARISER = {"alpha": 0.1, "beta": 0.5}


def losses(network: Any, x: torch.Tensor, labels: torch.Tensor, **options: Any) -> list[float]:
    scheme = FPTT(network.train(), optimizer={"name": "adam", "lr": 1e-2}, clip=1.0, regulariser=REGULARISER, **options)
    return [float(scheme.train_batch(x, labels).scalars["loss"]) for _ in range(30)]


@pytest.mark.parametrize(
    ("neuron", "options", "chunks"),
    [
        ("plif", {}, 4),
        ("psn", {"T": 8}, 1),  # a chunk is its sequence
        ("culif", {"v_threshold": 0.1}, 8),
        ("adlif", {"v_threshold": 0.1}, 4),
        ("ltc", {"shape": "channels", "gates": "dense"}, 8),
    ],
)
def test_a_batch_is_learned_with_any_neuron(neuron: str, options: dict[str, Any], chunks: int) -> None:
    torch.manual_seed(0)
    network = models.create(
        "sequential_fc", neuron=models.factory(neuron, **options), order="rows", side=8, hidden=32, classes=4, answer=1
    )
    labels = torch.arange(16) % 4
    x = torch.rand(16, 1, 8, 8)
    x[torch.arange(16), 0, :, 2 * labels] += 3  # a bright column tells the class
    found = losses(network, x, labels, loss={"name": "last_cross_entropy"}, chunks=chunks)
    assert sum(found[-3:]) < 0.8 * sum(found[:3])


def test_a_batch_is_learned_by_an_lstm() -> None:
    torch.manual_seed(0)
    network = models.create("fptt_adding_lstm", T=8, hidden=16)
    x, labels = torch.rand(16, 8, 2), 2 * torch.rand(16, 1)
    found = losses(network, x, labels, loss={"name": "last_mse"}, decision={"name": "last_value"}, chunks=4)
    assert sum(found[-3:]) < 0.8 * sum(found[:3])
