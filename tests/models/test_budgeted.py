"""The network with a budget of parameters."""

from __future__ import annotations

import re

import pytest
import torch

import models
import neurons
from core.errors import Unsupported
from core.randomness import seed_all
from models.budgeted import parameters_of, trainable
from papers.leaderboard.table import COLUMNS, WIDTH, options_of

SMALL = {"width": 32, "T": 8, "values": 8, "outputs": 10, "order": "columns"}


def small(neuron: str = "lif", **changes) -> models.Network:
    return models.create("budgeted", neuron=models.factory(neuron, **options_of(neuron, 8)), **{**SMALL, **changes})


def test_neurons_without_parameters_have_the_width() -> None:
    network = small()
    assert network.layers[0].out_features == 32
    assert trainable(network) == parameters_of(32, 8, 10) == 8 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10


@pytest.mark.parametrize("neuron", neurons.names())
def test_all_neurons_have_equally_many_parameters(neuron: str) -> None:
    for column in COLUMNS["quick"][:2]:
        made = models.create(
            "budgeted", neuron=models.factory(neuron, **options_of(neuron, column.T)), width=WIDTH["quick"],
            T=column.T, values=column.values, outputs=column.outputs,
        )  # fmt: skip
        budget = parameters_of(WIDTH["quick"], column.values, column.outputs)
        assert abs(trainable(made) / budget - 1) < 0.015


def test_it_reads_images_and_frames_in_pieces_as_at_once() -> None:
    x = torch.rand(3, 1, 8, 8)
    network = small(answer=2).eval()
    whole = network.run(x)
    assert whole.shape == (2, 3, 10)
    models.reset(network)
    sequence = network.encode(x)
    assert torch.equal(torch.cat([network(sequence[:5]), network(sequence[5:])])[-2:], whole)
    frames = small(order="", values=6)
    assert frames.run(torch.rand(3, 8, 2, 3)).shape == (8, 3, 10)


def test_what_it_cannot_be() -> None:
    with pytest.raises(Unsupported, match=re.escape("One neuron a layer makes 8,351 trainable parameters")):
        models.create("budgeted", neuron=models.factory("psn", T=64), width=32, T=64, values=8, outputs=10)
    with pytest.raises(ValueError, match="The last 9 steps of a sequence of 8 are no answer"):
        small(answer=9)
    with pytest.raises(ValueError, match="built for 8 steps of 8 values, the input has 4 of 4"):
        small().encode(torch.zeros(1, 1, 4, 4))


def built(neuron: str, seed: int = 0) -> tuple[list[torch.Tensor], float]:
    """The weights of its linear layers, and what is drawn when it is there."""
    seed_all(seed)
    network = small(neuron)
    linear = [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]
    return [layer.weight for layer in linear], float(torch.rand(()))


def test_networks_start_alike() -> None:
    """Weights of networks of one width, and what is drawn later of all."""
    (lif, later), (other, later_too), (_, last) = map(built, ("lif", "if", "psn"))
    assert all(torch.equal(a, b) for a, b in zip(lif, other, strict=True))
    assert later == later_too == last
    assert not torch.equal(lif[0], built("lif", 1)[0][0])
