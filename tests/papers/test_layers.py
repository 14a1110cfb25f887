"""Layers are named in metrics: found again in their order, in new results and in those from before they had names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_networks import SMALL

import models
from papers.layers import called, natural, of_layers
from results import reading
from training.measures import Constants, FiringRates, spiking

ARCHIVE = Path(__file__).parents[2] / "results" / "archive"


@pytest.mark.parametrize("name", [name for name in SMALL if name != "fptt_spyv4"])  # whose layers branch
def test_the_order_of_names_is_that_of_the_layers(name: str) -> None:
    options, shape = SMALL[name]
    network = models.create(name, neuron=models.factory("plif"), **options).eval()
    called_in_turn: list[str] = []
    for path, layer in spiking(network).items():
        layer.register_forward_hook(lambda _layer, _x, _out, path=path: called_in_turn.append(path))
    with FiringRates(network) as rates, torch.no_grad():
        network.run(torch.randn(shape))
    assert of_layers(sorted(rates.values()), "rate") == [f"rate_{path}" for path in dict.fromkeys(called_in_turn)]
    of_the_factory = [path for path in dict.fromkeys(called_in_turn) if spiking(network)[path].name == "plif"]
    assert of_the_factory or not called_in_turn
    assert of_layers(sorted(Constants(network).values()), "tau") == [f"tau_{path}" for path in of_the_factory]


def test_numbers_within_names_are_numbers() -> None:
    found = of_layers(["rate_conv.10", "rate_fc.1", "rate_conv.2", "tau_conv.2", "train_loss"], "rate")
    assert found == ["rate_conv.2", "rate_conv.10", "rate_fc.1"]
    assert of_layers(["rate_10", "rate_2", "rate_0"], "rate") == ["rate_0", "rate_2", "rate_10"]
    assert of_layers(["rate_2", "rate_1.0", "rate_0", "rate_1.10.b"], "rate") == [
        "rate_0", "rate_1.0", "rate_1.10.b", "rate_2"
    ]  # fmt: skip
    assert sorted(["x10", "x9", "x"], key=natural) == ["x", "x9", "x10"]


def test_a_constant_whose_name_begins_like_another() -> None:
    names = ["rate_conv.2", "tau_m_conv.2", "tau_s_conv.2", "rate_m_fc.1", "tau_m_m_fc.1"]
    assert of_layers(names, "tau") == []
    assert of_layers(names, "tau_m") == ["tau_m_conv.2", "tau_m_m_fc.1"]
    assert of_layers(["tau_conv.2"], "tau") == ["tau_conv.2"]  # where no rates were measured


def test_what_a_layer_is_called() -> None:
    assert called("tau_3", "tau") == "layer 4"
    assert called("tau_conv.3", "tau") == "conv.3"


@pytest.mark.parametrize(("archive", "metric"), [("plif-quick-cpu", "tau"), ("psn-quick-cpu", "lambda")])
def test_archived_trainings_have_their_layers(archive: str, metric: str) -> None:
    runs, _, _ = reading.read([ARCHIVE / f"{archive}.jsonl"])
    several = 0
    for run in runs:
        names = {found.name for found in run.metrics}
        rates = of_layers(names, "rate")
        assert (len(rates) > 1) == (run.outcome == "ok")
        assert of_layers(names, metric) in ([], [name.replace("rate", metric) for name in rates])
        several += len(of_layers(names, metric)) > 1
    assert several
