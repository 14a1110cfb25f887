"""The table of all neurons, and what is measured of its networks."""

from __future__ import annotations

import pytest
import torch

import models
import neurons
from papers.leaderboard import costs
from papers.leaderboard.table import COLUMNS, LEADERBOARD, OF_ADDING, OF_CLASSES, SCHEMES, options_of
from papers.measures import INFERENCE, LATENCY, OVER_COPIES, OVER_PRODUCTS, RUNNING, SPIKES_PER_SAMPLE
from tasks.images import ImageSplit


@pytest.mark.parametrize("name", neurons.names())
def test_options_are_those_of_a_typical_layer(name: str) -> None:
    for T in (4, 64):
        assert options_of(name, T) == neurons.registry.get(name).example(T)


def test_every_neuron_has_a_row_and_rows_differ_in_one_thing() -> None:
    cells = LEADERBOARD.cells("quick")
    assert list(dict.fromkeys(cell.row for cell in cells)) == [*neurons.names(), *SCHEMES]
    for column in COLUMNS["quick"]:
        own = [cell.experiment.document() for cell in cells if cell.column == column.name]
        recipes = [{k: v for k, v in one.items() if not k.startswith("neuron")} for one in own[: len(neurons.names())]]
        assert all(recipe == recipes[0] for recipe in recipes)
        assert {one["neuron"] for one in own[len(neurons.names()) :]} == {"lif"}


def test_scores_are_shares_of_the_way() -> None:
    assert (OF_CLASSES.share(0.1), OF_CLASSES.share(1.0)) == (0, 1)
    assert (OF_ADDING.share(1 / 6), OF_ADDING.share(0.0)) == (0, 1)
    assert OF_ADDING.share(1 / 3) == pytest.approx(-1)  # worse than who always says 1


@pytest.fixture
def split() -> ImageSplit:
    images = torch.randint(0, 17, (5, 1, 8, 8), dtype=torch.uint8)
    return ImageSplit(images, torch.zeros(5, dtype=torch.int64), mean=[0.3], std=[0.4], scale=16)


@pytest.mark.parametrize("neuron", ["lif", "psn", "ltc"])
def test_costs_of_a_network(neuron: str, split: ImageSplit) -> None:
    factory = models.factory(neuron, **options_of(neuron, 8))
    network = models.create("budgeted", neuron=factory, width=12, T=8, values=8, outputs=10, order="columns")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    found = {metric.name: metric.value for metric in costs.measure(network, split, "cpu")}
    assert found.keys() == {measure.name for measure in RUNNING}
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(found[measure.name] > 0 for measure in (INFERENCE, LATENCY, OVER_PRODUCTS, OVER_COPIES))
    assert 0 <= found[SPIKES_PER_SAMPLE.name] <= 8 * 2 * network.layers[0].out_features


def test_spikes_are_those_of_all_layers(split: ImageSplit) -> None:
    network = models.create(
        "budgeted", neuron=models.factory("if"), width=3, T=8, values=8, outputs=10, order="columns"
    )
    for layer in (network.layers[0], network.layers[2]):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, 1.5)  # above the threshold of 1, at every step
    found = {metric.name: metric.value for metric in costs.measure(network, split, "cpu")}
    assert found[SPIKES_PER_SAMPLE.name] == 8 * 2 * 3
