"""Figures made of counted operations: definitions, energies by cost table, and the mistakes that others made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from papers import registry
from papers.costs import costs
from papers.operations import Layer, Operations, Spiking, counted, read

COSTS = {cost.name: cost for cost in costs()}
FP32 = COSTS["45 nm FP32"]


def layer(name: str, rate: float, textbook: float, **changes: float) -> Layer:
    """A layer with spikes for inputs, no borders and no weights of zero."""
    products = rate * textbook
    return replace(Layer(name, 0, 1.0, 1.0, 0.0, products, 0.0, products, textbook, textbook, rate, 0.0), **changes)


def real(name: str, textbook: float, **changes: float) -> Layer:
    """A first layer that sees pixels."""
    return layer(name, 1.0, textbook, ac=0.0, mac=textbook, graded=1.0, ones=0.0, **changes)


def test_cost_tables_have_sources_and_the_known_numbers() -> None:
    assert {name: (cost.mac, cost.ac) for name, cost in COSTS.items()} == {
        "45 nm FP32": (pytest.approx(4.6), 0.9),
        "45 nm FP16": (pytest.approx(1.5), 0.4),
        "45 nm INT32": (pytest.approx(3.2), 0.1),
        "45 nm INT8": (pytest.approx(0.23), 0.03),
        "7 nm FP32": (pytest.approx(1.69), 0.38),
    }
    for cost in COSTS.values():
        assert "doi 10." in cost.source
        assert cost.read


@pytest.mark.parametrize(
    ("ac", "mac", "millijoules"),
    [(0.50e9, 2.75e9, 13.10), (0.10e9, 0.14e9, 0.734), (0.0, 1.82e9, 8.372)],
    ids=["SEW-ResNet-18", "spiking ResNet-18", "ResNet-18"],
)
def test_energies_of_the_table_of_syops_counter(ac: float, mac: float, millijoules: float) -> None:
    network = Operations((replace(Layer("a"), ac=ac, mac=mac),), ())
    assert 1e3 * (network.energy(FP32) or 0) == pytest.approx(millijoules, rel=1e-6)


def test_the_shortcut_is_the_usual_formula() -> None:
    """E = E_MAC FLOP_1 + E_AC sum of rate T FLOP over the others."""
    network = Operations((real("a", 1000.0), layer("b", 0.1, 4000.0), layer("c", 0.2, 500.0)), ())
    assert network.shortcut is not None
    assert (network.shortcut.mac, network.shortcut.ac) == (1000, 400 + 100)
    assert network.shortcut_energy(FP32) == pytest.approx((4.6 * 1000 + 0.9 * 500) * 1e-12)
    events = Operations((layer("a", 0.05, 1000.0), layer("b", 0.1, 4000.0)), ())
    assert events.shortcut is not None
    assert (events.shortcut.mac, events.shortcut.ac) == (0, 450)


def test_a_rate_is_applied_once() -> None:
    """PMC10242054, table 3: with the rate applied twice an advantage of 37.4 times read as 273.8 times."""
    rate = 4.6 / (37.4 * 0.9)
    network = Operations((layer("a", rate, 1e6),), ())
    spiking = network.shortcut_energy(FP32) or 0
    assert FP32.joules(0, 1e6) / spiking == pytest.approx(37.4)
    assert FP32.joules(0, 1e6) / (spiking * rate) == pytest.approx(273.8, rel=2e-3)  # the mistake


def test_layers_count_by_themselves_and_not_by_their_mean() -> None:
    network = Operations((layer("a", 0.9, 10.0), layer("b", 0.1, 1000.0)), ())
    assert network.shortcut is not None
    assert network.shortcut.all == 9 + 100
    assert network.shortcut.all != 0.5 * 1010


def test_graded_inputs_are_never_accumulates() -> None:
    summed = layer("b", 0.5, 100.0, graded=3.0, ac=0.0, mac=50.0, ones=0.5)
    network = Operations((layer("a", 0.1, 10.0), summed), ())
    assert (network.ac, network.mac) == (1, 50)
    assert network.synops == 1  # SpikingJelly leaves such a layer out
    assert network.shortcut is not None
    assert network.shortcut.mac == 0  # the usual formula takes it for accumulates, which is what it is shown for


def test_layers_without_spikes_behind_them_count() -> None:
    network = Operations((layer("hidden", 0.1, 100.0), layer("readout", 0.2, 50.0)), (Spiking("n", 5.0, 2.0, 40.0),))
    assert network.energy(FP32) == pytest.approx(0.9e-12 * 20)
    assert (network.spikes_per_neuron, network.updates) == (pytest.approx(0.4), 40)


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    network = Operations((layer("a", 0.1, 100.0), Layer("b")), (Spiking("n", 5.0, 2.0, None),))
    assert (network.counts, network.dense, network.synops, network.shortcut) == (None, None, None, None)
    assert (network.energy(FP32), network.shortcut_energy(FP32), network.updates) == (None, None, None)
    assert network.spikes_per_neuron == pytest.approx(0.4)


def test_measured_joules_stand_apart_from_estimates() -> None:
    network = Operations((layer("a", 0.1, 100.0),), (), joules=2.0, idle=1.5)
    assert network.energy(FP32) == pytest.approx(0.9e-12 * 10)


def test_metrics_are_read_by_layer_in_the_order_of_calls() -> None:
    values = {
        "ops_samples": 10.0, "ops_T": 4.0, "ops_joules": None, "ops_place_fc.2_a": 1.0, "ops_ac_fc.2_a": 5.0,
        "ops_mac_fc.2_a": 0.0, "ops_place_conv": 0.0, "ops_ac_conv": 0.0, "ops_mac_conv": 7.0,
        "ops_spikes_sn": 3.0, "ops_neurons_sn": 6.0, "ops_updates_sn": 24.0, "ops_of tomorrow": 1.0, "rate_sn": 0.5,
    }  # fmt: skip
    found = read(values)
    assert found is not None
    assert [one.name for one in found.layers] == ["conv", "fc.2_a"]
    assert (found.ac, found.mac, found.T, found.joules, found.spikes_per_neuron) == (5, 7, 4, None, 0.5)
    assert read({"rate_sn": 0.5}) is None


def test_what_is_counted_is_an_experiment_of_its_own() -> None:
    """Results that are stored stay what they are: the experiment behind them is another one."""
    experiment = registry.get("plif_ablation").experiments("quick", [2020])[0]
    beside = counted(experiment)
    assert beside.key != experiment.key
    assert beside.measures == (*experiment.measures, "operations")
    assert replace(beside, measures=experiment.measures).document() == experiment.document()
    assert counted(beside) is beside
