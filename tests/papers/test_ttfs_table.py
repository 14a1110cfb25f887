"""The table of the T2FSNN work: sources, trainings that can be built, departures on its page, early stopping, and the
exact statements on a network."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import stores
import torch

import models
import tasks
import training
from models.ttfs.networks import SpikeTimes
from papers import measures, registry
from papers.evaluate import evaluate
from papers.experiment import SCALES, Experiment
from papers.measures import ACCURACY
from papers.ttfs import claims, departures, identities
from papers.ttfs.protocols import PATIENCE, STOPPED, stops
from results import Metric, Store, published
from training.single_spikes import SingleSpikes

TABLE = registry.get("ttfs_table")
PAGE = Path(__file__).parents[2] / "docs" / "ttfs.md"


def scheme(experiment: Experiment) -> Any:
    torch.manual_seed(1)
    neuron = models.factory(experiment.neuron, **experiment.neuron_options)
    network = models.create(experiment.model, neuron=neuron, **experiment.model_options)
    return training.registry.get(experiment.scheme)(network, **experiment.scheme_options)


def test_every_source_is_published_and_none_is_verified() -> None:
    _, values = published.load(published.FOLDER / "ttfs.toml")
    known = {(v.table, v.row, v.column): v for v in values}
    told = [cell for scale in SCALES for cell in TABLE.cells(scale)]
    sources = [source for cell in told for source in cell.sources]
    assert {known[s.table, s.row, s.column].provenance for s in sources} == {"from_memory"}
    assert all("no published accuracy was verified" in cell.not_comparable for cell in told)
    assert all("recollection" in cell.not_comparable for cell in told if cell.sources)


def test_a_recollection_decides_nothing(tmp_path: Path) -> None:
    with Store(stores.with_published(tmp_path / "store.db")) as store:
        result = evaluate(store, TABLE, "paper")
    shown = [cell for cell in result.cells if cell.published]
    assert len(shown) == 2
    assert not any(value.firm for cell in shown for value in cell.published)


def test_sizes_are_those_of_the_networks() -> None:
    _, values = published.load(published.FOLDER / "ttfs.toml")
    sizes = {v.row: v.value for v in values if (v.table, v.column) == ("sizes", "weights")}
    assert len(sizes) == 6
    for row, weights in sizes.items():
        name, inputs, side, classes = re.fullmatch(r"(\w+), (\d)x(\d+)x\d+, (\d+) classes", row).groups()  # type: ignore[union-attr]
        with torch.device("meta"):
            made = models.create("ttfs", architecture=name, inputs=int(inputs), side=int(side), classes=int(classes))
        assert sum(p.numel() for p in made.parameters()) == weights


def test_each_training_of_quick_scale_takes_a_batch() -> None:
    for experiment in TABLE.experiments("quick", [0]):
        learner = scheme(experiment)
        task = tasks.load(experiment.task, **experiment.task_options)
        x, labels = task.train.batch(range(8))
        update = learner.train_batch(x, labels)
        assert torch.isfinite(update.scalars["loss"])
        assert sum(p.numel() for p in learner.network.parameters()) == 6032
        assert learner.decide(learner.outputs(x)).shape == labels.shape
        for name in experiment.measures:
            assert measures.registry.get(name)


def test_rows_differ_as_their_names_say() -> None:
    rows = {cell.row: cell.experiment for cell in TABLE.cells("quick") if cell.column == claims.RAW}
    released, shuffled, corrected = (rows[name] for name in (claims.RELEASED, claims.SHUFFLED, claims.CORRECTED))
    assert released.model_options == shuffled.model_options
    assert (released.batching["shuffle"], shuffled.batching["shuffle"]) == (False, True)
    networks = {name: scheme(rows[name]).network for name in rows}
    hows = {name: n.layers[0].numerics for name, n in networks.items() if isinstance(n, SpikeTimes)}
    assert {name: how.clip for name, how in hows.items()} == {
        claims.RELEASED: 1.0, claims.SHUFFLED: 1.0, claims.CORRECTED: None, claims.NARROW: 0.25, claims.WIDE: 11.0,
        claims.CONSTANT: None,
    }  # fmt: skip
    assert [name for name, how in hows.items() if how.threshold] == [claims.CONSTANT]
    assert corrected.scheme_options == shuffled.scheme_options
    starts = [next(n.parameters()) for n in networks.values()]
    assert all(torch.equal(start, starts[0]) for start in starts)


def test_departures_are_numbered_and_all_on_the_page() -> None:
    assert [d.number for d in departures.ALL] == list(range(1, len(departures.ALL) + 1))
    assert set(TABLE.departures) == set(departures.ALL)
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for departure in departures.ALL:
        assert f"- {departure.mark}: {departure.text}" in page
    assert importlib.import_module("papers.ttfs").__doc__


def test_early_stopping_by_hand() -> None:
    assert stops([0.5, 0.5, 0.6, 0.6, 0.5], 2) == [False, False, False, False, True]
    assert stops([0.0, 0.0], 1) == [True, True]  # the best starts at 0, and only more than that counts
    rising = {epoch: min(epoch, 10) / 20 for epoch in range(60)}
    curves = {"validation_accuracy": rising, "test_accuracy": {e: 0.5 + e / 1000 for e in range(60)}}
    found = STOPPED.select(curves, ACCURACY)
    assert found is not None
    assert found.step == 10 + PATIENCE - 1, "the epoch at which training stops is tested no more"
    assert found.value == pytest.approx(0.5 + found.step / 1000)
    short = {name: {e: v for e, v in curve.items() if e < 20} for name, curve in curves.items()}
    assert STOPPED.select(short, ACCURACY).step == 19
    assert STOPPED.select({"test_accuracy": rising}, ACCURACY) is None


def network(**options: Any) -> SpikeTimes:
    torch.manual_seed(5)
    made = models.create("ttfs", **{"architecture": "4C3 - P2 - 9F", "side": 8, **options})
    assert isinstance(made, SpikeTimes)
    return made


def checked(made: models.network.Network, normalised: bool = False) -> dict[str, float | None]:
    split = tasks.load("shuffled_digits", normalised=normalised).test
    found: tuple[Metric, ...] = identities.measure(made, split, "cpu")
    return {metric.name: metric.value for metric in found}


def test_the_statements_hold_for_a_sound_network() -> None:
    made = network(numerics="released")
    before = [p.clone() for p in made.parameters()]
    found = checked(made)
    assert found["early_inputs"] == found["late_inputs"] == 0
    assert [found[f"wrong_{K}"] for K in identities.STEPS] == [0, 0, 0]
    assert all(0 < found[f"late_{K}"] <= 1 for K in identities.STEPS)
    assert found["most_spikes"] == 1
    assert found["gradients"] >= 12
    assert found["gradient_difference"] < claims.DIFFERENCE
    assert 0 < found["clipped_cosine"] < 1
    # two layers that fire: two sums each; simulated, a pass for each of 2 K + 1 steps, and two for earlier spikes
    assert found["passes"] == 4
    assert [found[f"passes_{K}"] for K in identities.STEPS] == [2 * (2 * K + 3) for K in identities.STEPS]
    assert all(torch.equal(a, b) for a, b in zip(before, made.parameters(), strict=True))
    assert all(layer.numerics.released for layer in made.layers if hasattr(layer, "numerics"))


def test_late_inputs_are_found_and_other_networks_are_not_asked() -> None:
    found = checked(network(), normalised=True)
    assert found["late_inputs"] > 0.3
    # every pixel fires: the first layer has one sum of the weights for all samples
    assert found["passes"] == 2 + 1 + 1 / identities.SAMPLES
    assert found["wrong_32"] > 0
    assert checked(network(threshold=1.0)) == {}
    assert checked(models.create("ttfs_relu", architecture="4C3", side=8)) == {}


def test_a_wrong_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.ttfs.functions import Product

    monkeypatch.setattr(Product, "to_weight", lambda self, grad, x, weight: 1.001 * (grad.T @ x))
    assert checked(network())["gradient_difference"] > 1e-4


def test_spikes_and_additions_by_hand() -> None:
    """One pixel of four fires, at 0.5, into 3 neurons; weights 1, 0 and -1: V(2) = 1.5, 0 and -1.5."""
    made = network(architecture="3F", side=2, classes=2)
    made.layers[1].weight.data.copy_(torch.tensor([[1.0, 0, 0, 0], [0.0, 0, 0, 0], [-1.0, 0, 0, 0]]))
    watched = SingleSpikes(made)
    with watched.watching():
        made.run(torch.tensor([[[[0.5, 0.0], [0.0, 0.0]]]]))
    found = {name: reading.value for name, reading in watched.values().items()}
    assert found == {
        "rate_layers.1": pytest.approx(2 / 3),  # the second fires at the end, the third never
        "end_layers.1": pytest.approx(1 / 3),
        "silent": pytest.approx(1 / 3),
        "additions": 3 + 2 * 2,  # one pixel to three neurons, two of these to two classes
        "multiply_adds": 4 * 3 + 3 * 2,
    }


def test_additions_of_a_convolution_at_the_border() -> None:
    made = network(architecture="2C3", side=3, classes=1)
    watched = SingleSpikes(made)
    image = torch.zeros(2, 1, 3, 3)
    image[0, 0, 0, 0] = image[1, 0, 1, 1] = 0.5
    made.layers[0].weight.data.fill_(-1.0)  # all that a spike reaches is silent, all others fire at the end
    with watched.watching():
        made.run(image)
    found = {name: reading.value for name, reading in watched.values().items()}
    # a corner reaches 2 x 2 places of 2 maps, the middle 3 x 3; then 5 and 0 places of 2 maps go to 1 class
    assert found["additions"] == (8 + 18 + 10 + 0) / 2
    assert found["multiply_adds"] == 2 * (4 * 4 + 4 * 6 + 9) + 18
    assert SingleSpikes(models.create("ttfs_relu", architecture="4C3", side=8)).values() == {}
