"""The tables of the first-spike work: every training can be built and takes a batch, departures are on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import models
import tasks
import training
from papers import registry
from papers.evaluate import evaluate
from papers.experiment import Experiment
from papers.first_spike import departures
from papers.first_spike.arms import ARMS, GESTURE, MANIFOLDS, NTIDIGITS, PLANES, SHD, experiment
from papers.first_spike.behaviour import CORRECTED, GRADIENTS, RELEASED
from results import Store, published
from training.descent import Descent

PAGE = Path(__file__).parents[2] / "docs" / "first_spike.md"
TABLES = ("fs_table", "fs_latency")


def scheme(made: Experiment) -> Any:
    torch.manual_seed(1)
    neuron = models.factory(made.neuron, **made.neuron_options)
    network = models.create(made.model, neuron=neuron, **made.model_options)
    return training.registry.get(made.scheme)(network, **made.scheme_options)


def test_each_training_of_quick_scale_takes_a_batch() -> None:
    task = tasks.load("randman", **MANIFOLDS.task_options)
    x, labels = task.train.batch(range(20))
    for made in registry.get("fs_latency").experiments("quick", [0]):
        learner = scheme(made)
        update = learner.train_batch(x, labels)
        assert torch.isfinite(update.scalars["loss"])
        assert update.outputs.shape == (learner.network.T, 20, 2, 4)
        assert learner.decide(update.outputs).shape == labels.shape


def test_networks_of_paper_scale_have_the_shipped_sizes() -> None:
    _, values = published.load(published.FOLDER / "first_spike.toml")
    counts = {value.row: value.value for value in values if value.column == "parameters"}
    folders = {"AdLIF": "SpikingJelly", "CuLIF": "SuperSpike"}
    for data in (SHD, NTIDIGITS, GESTURE, PLANES):
        for arm in ARMS[::4]:
            if arm.network in data.networks:
                learner = scheme(experiment(arm, data, "paper"))
                name = data.name if data in (GESTURE, PLANES) else f"{data.name}, {folders[arm.network]} folder"
                assert sum(p.numel() for p in learner.network.parameters()) == counts[name]


def test_gradients_have_both_settings() -> None:
    for arm in ARMS:
        learner = scheme(experiment(arm, MANIFOLDS, "quick"))
        assert isinstance(learner, Descent)
        assert learner.accumulate == (arm.behaviour == RELEASED)
    assert GRADIENTS[RELEASED].keys() == GRADIENTS[CORRECTED].keys()


def test_no_published_value_is_claimed() -> None:
    for name in TABLES:
        table = registry.get(name)
        assert not any(cell.sources for scale in ("quick", "short", "paper") for cell in table.cells(scale))
        assert any("could not be read" in note for note in table.notes)


def test_tables_share_their_trainings() -> None:
    first, second = ({e.key for e in registry.get(name).experiments("paper", [0])} for name in TABLES)
    assert first == second


def words(text: str) -> str:
    return " ".join(text.split())


def test_departures_are_numbered_and_all_on_the_page() -> None:
    assert [departure.number for departure in departures.ALL] == list(range(1, len(departures.ALL) + 1))
    page = PAGE.read_text(encoding="utf-8")
    listed = [words(item) for item in re.split(r"^- ", page.split("## What differs\n")[1], flags=re.M)[1:]]
    for departure, item in zip(departures.ALL, listed, strict=True):
        assert item.startswith(f"{departure.mark}: {departure.text}")
    assert {departure for name in TABLES for departure in registry.get(name).departures} == set(departures.ALL)


@pytest.mark.parametrize("name", TABLES)
def test_claims_are_on_the_page(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for claim in registry.get(name).claims:
        assert f"| {claim.id} |" in page


def test_a_table_of_delays_and_plain_numbers_names_no_unit_for_all() -> None:
    store = Store("sqlite://")
    units = {name: evaluate(store, registry.get(name), "quick").unit for name in TABLES}
    assert units == {"fs_table": "%", "fs_latency": ""}
