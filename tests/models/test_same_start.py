"""Networks that differ in the neuron alone start alike: every other parameter and buffer, and what is drawn later."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from small_networks import SMALL
from torch import Tensor, nn

import models
import neurons
from core.randomness import seed_all
from models.network import Network
from neurons.base import Neuron
from neurons.integrate_and_fire import LIF
from papers import registry
from papers.experiment import SCALES, Experiment


class Reckless(LIF):
    """A neuron of a user who draws from all global generators and seeds them as well."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drawn = nn.Parameter(torch.rand(3) + float(np.random.rand()) + random.random())
        nn.init.normal_(self.drawn)
        torch.manual_seed(0)
        np.random.seed(0)
        random.seed(0)


def reckless(shape: tuple[int, ...]) -> nn.Module:
    return Reckless()


def built(name: str, neuron: models.NeuronFactory, options: dict[str, Any], seed: int = 2020) -> Network:
    seed_all(seed)
    return models.create(name, neuron=neuron, **options)


def others(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers outside spiking layers."""
    spiking = tuple(f"{name}." for name, module in network.named_modules() if isinstance(module, Neuron))
    return {name: value for name, value in network.state_dict().items() if not name.startswith(spiking)}


def drawn_next() -> tuple[Any, ...]:
    return torch.rand(3).tolist(), np.random.rand(), random.random()


def differences(name: str, rows: list[tuple[models.NeuronFactory, dict[str, Any]]]) -> list[str]:
    """What is not bit for bit the same in the networks of all `rows`, each with its neuron and its options."""
    first = others(built(name, *rows[0]))
    later = drawn_next()
    found = []
    for row in rows[1:]:
        other = others(built(name, *row))
        found += [] if drawn_next() == later else ["what is drawn later"]
        found += sorted(first.keys() ^ other.keys())
        found += [key for key in first.keys() & other.keys() if not torch.equal(first[key], other[key])]
    assert first
    return found


OF_OTHER_SIZE = ("budgeted",)  # with another neuron; what is the same all the same: test_budgeted
NO_WEIGHTS = "max_pool"  # an option of networks that no parameter depends on


def rows_by_network() -> dict[str, list[Experiment]]:
    """The experiments of each network in each table that has several rows for it; networks that were seen before, as
    those of scale short at scale paper, are left out."""
    found: dict[str, list[Experiment]] = {}
    seen = set()
    for table in registry.names():
        for scale in SCALES:
            groups: dict[str, list[Experiment]] = {}
            for experiment in registry.get(table).experiments(scale, [2020]):
                if experiment.model in ("", *OF_OTHER_SIZE):  # without one: neurons alone
                    continue
                options = {key: value for key, value in experiment.model_options.items() if key != NO_WEIGHTS}
                place = repr((experiment.model, options))
                groups.setdefault(place, []).append(experiment)
            for place, group in groups.items():
                rows = {repr((e.model_options, e.neuron, e.neuron_options)): e for e in group}
                what = (place, *rows)
                if len(rows) > 1 and what not in seen:
                    seen.add(what)
                    number = sum(key.startswith(f"{table} {scale}") for key in found)
                    found[f"{table} {scale} {number}"] = list(rows.values())
    return found


ROWS = rows_by_network()


def test_tables_with_several_neurons_are_found() -> None:
    found = {name.rsplit(" ", 1)[0] for name in ROWS}
    assert found >= {
        "plif_ablation quick", "plif_ablation short", "psn_sequential quick", "psn_sequential short", "psn_order quick",
        "psn_order short",
    }  # fmt: skip


@pytest.mark.parametrize("place", ROWS)
def test_the_rows_of_a_table_start_alike(place: str) -> None:
    rows = [(models.factory(e.neuron, **e.neuron_options), e.model_options) for e in ROWS[place]]
    assert differences(ROWS[place][0].model, rows) == []


@pytest.mark.parametrize("name", [name for name in SMALL if name not in OF_OTHER_SIZE])
def test_every_network_starts_alike_with_every_neuron(name: str) -> None:
    options, _ = SMALL[name]
    T = built(name, models.factory("lif"), options).T
    factories = [models.factory(neuron, **neurons.registry.get(neuron).example(T)) for neuron in neurons.names()]
    refused = []
    if name.startswith(("fptt_", "fs_")):  # these feed spikes back, or read potentials step by step
        for factory in [*factories]:
            try:
                built(name, factory, options)
            except ValueError as error:
                refused.append(str(error))
                factories.remove(factory)
    assert len(factories) > 10
    needs_a_step = "has no single step, so nothing can be fed back|has no potential after each"
    assert all(re.search(needs_a_step, reason) for reason in refused)
    rows = [(factory, options) for factory in (models.factory("lif"), *factories, reckless)]
    assert differences(name, rows) == []


@pytest.mark.parametrize("factory", [models.factory("psn", T=8), models.factory("sliding_psn", k=4, exp_init=False)])
def test_layers_and_seeds_and_networks_draw_each_their_own(factory: Callable[..., nn.Module]) -> None:
    options = {"side": 8, "channels": 3}
    networks = [built("psn_sequential", factory, options, seed) for seed in (2020, 2020, 2021)]
    networks.append(models.create("psn_sequential", neuron=factory, **options))  # not seeded in between
    weights = [[layer.weight for layer in network.modules() if isinstance(layer, Neuron)] for network in networks]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    drawn = [weight for several in weights[1:] for weight in several]
    assert len({tuple(weight.flatten().tolist()) for weight in drawn}) == len(drawn) == 21


class Pair(Network):
    """Two spiking layers with nothing between them."""

    def __init__(self, neuron: models.NeuronFactory) -> None:
        super().__init__()
        self.layers = nn.Sequential(neuron((2,)), neuron((2,)))


def test_layers_next_to_each_other_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.registry, "get", lambda name: Pair)
    first, second = built("pair", models.factory("psn", T=4), {}).layers
    assert not torch.equal(first.weight, second.weight)


def test_a_layer_that_cannot_be_built_leaves_the_generators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_all(3)
    expected = drawn_next()
    seed_all(3)
    monkeypatch.setattr(models.registry, "get", lambda name: Pair)
    with pytest.raises(ValueError, match="must be at least 1"):
        models.create("pair", neuron=models.factory("psn", T=0))
    assert drawn_next() == expected
