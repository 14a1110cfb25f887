"""The tables of the PSN work: sources in the store, short trainings, and their experiments can be built."""

from __future__ import annotations

import pytest

from papers import registry
from papers.evaluate import evaluate
from papers.experiment import Experiment
from papers.psn import tables as psn
from papers.table import Table
from results import Store, published

NAMES = ("psn_sequential", "psn_order", "psn_cifar10", "psn_cifar10dvs", "psn_imagenet")


@pytest.fixture(scope="module")
def store() -> Store:
    opened = Store("sqlite://")
    published.sync(opened)
    return opened


def experiment(table: str, row: str, column: str, scale: str = "paper") -> Experiment:
    cells = registry.get(table).cells(scale)
    return next(cell.experiment for cell in cells if (cell.row, cell.column) == (row, column))


every_table = pytest.mark.parametrize("table", [registry.get(name) for name in NAMES], ids=NAMES)


@every_table
@pytest.mark.parametrize("scale", ["quick", "short", "paper"])
def test_every_source_and_every_log_is_in_the_store(store: Store, table: Table, scale: str) -> None:
    runs = {value.row for value in store.published("psn", ["curve"])}
    for cell in evaluate(store, table, scale).cells:
        assert len(cell.published) == len(cell.cell.sources), (cell.cell.row, cell.cell.column)
        assert not cell.cell.log or cell.cell.log in runs


def test_the_number_of_trainings() -> None:
    assert len(psn.PSN_SEQUENTIAL.experiments("paper", [0])) == 16
    assert len(psn.PSN_ORDER.experiments("paper", [0])) == 64
    assert len(psn.PSN_SEQUENTIAL.experiments("quick", [0])) == 8 * 3
    assert len(psn.PSN_ORDER.experiments("quick", [0])) == 8 + 8  # digits and recall


def test_tasks_of_our_own_have_nothing_published() -> None:
    cells = psn.PSN_SEQUENTIAL.cells("quick")
    assert {cell.column for cell in cells if not cell.sources} == {psn.claims.PIXEL_DIGITS, psn.claims.DIGIT_RECALL}


def test_order_32_is_the_same_run_in_both_tables() -> None:
    for column in ("masked", "sliding"):
        same = experiment("psn_sequential", f"{column} PSN", "CIFAR100")
        assert experiment("psn_order", "k=32", column).key == same.key


def test_a_short_training_is_the_beginning_of_the_long_one() -> None:
    for name in NAMES:
        for short, paper in zip(registry.get(name).cells("short"), registry.get(name).cells("paper"), strict=False):
            if (short.row, short.column) == (paper.row, paper.column):
                kept = {**short.experiment.document(), "epochs": paper.experiment.epochs, "scale": "paper"}
                assert kept == paper.experiment.document()


def test_short_values_are_those_of_the_authors_first_epochs(store: Store) -> None:
    result = evaluate(store, psn.PSN_SEQUENTIAL, "short")
    curve = {v.step: v.value for v in store.published("psn", ["curve"]) if v.row == "sequential-CIFAR10-PSN"
             and v.column == "test_accuracy"}  # fmt: skip
    first = [100 * curve[epoch] for epoch in range(psn.SHORT_EPOCHS)]
    best, last = (result.at("PSN", column) for column in ("CIFAR10", "CIFAR10, last epoch"))
    assert best is not None
    assert last is not None
    assert [value.value for value in best.published] == [pytest.approx(max(first))]
    assert [value.value for value in last.published] == [pytest.approx(first[-1])]


def test_both_attempts_of_lif_are_shown(store: Store) -> None:
    cell = evaluate(store, psn.PSN_SEQUENTIAL, "paper").at("LIF", "CIFAR100")
    assert cell is not None
    assert sorted({value.value for value in cell.published}) == [52.74, 55.45]
    recalled = evaluate(store, psn.PSN_IMAGENET, "paper").at("SEW ResNet-34", "ImageNet")
    assert recalled is not None
    assert [(value.value, value.provenance) for value in recalled.published] == [
        (70.54, "derived"),
        (70.54, "from_memory"),
    ]


@every_table
@pytest.mark.parametrize("scale", ["quick", "short", "paper"])
def test_every_experiment_can_be_built(table: Table, scale: str) -> None:
    """Networks on the meta device, schemes and names: what a run would trip over before its first batch."""
    import torch

    import models
    import tasks
    import training

    for found in table.experiments(scale, [0]):
        assert found.task in tasks.names()
        options = {name: value for name, value in found.model_options.items() if name != "ann_checkpoint"}
        neuron = models.factory(found.neuron, **found.neuron_options)
        with torch.device("meta"):
            network = models.create(found.model, neuron=neuron, **options)
        training.registry.get(found.scheme)(network, **found.scheme_options)
