"""The tables of the PSN work: sources in the store, short trainings, and their experiments can be built."""

from __future__ import annotations

import pytest
import stores

from papers import registry
from papers.evaluate import evaluate
from papers.experiment import Experiment
from papers.psn import tables as psn
from papers.table import Table
from papers.verdict import repeats
from results import Store

NAMES = ("psn_sequential", "psn_order", "psn_cifar10", "psn_cifar10dvs", "psn_imagenet")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(stores.with_published(tmp_path_factory.mktemp("store") / "store.db"))


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


def repeats_of(store: Store, table: Table, scale: str) -> dict[tuple[str, str], list[float]]:
    """The authors' runs of each cell that they ran more than once."""
    found = {(r.cell.row, r.cell.heading): repeats(r.published) for r in evaluate(store, table, scale).cells}
    return {place: values for place, values in found.items() if len(values) > 1}


def test_the_authors_repeats_are_replicates(store: Store) -> None:
    assert repeats_of(store, psn.PSN_SEQUENTIAL, "paper") == {
        ("LIF", "CIFAR10"): [81.5, 79.85],
        ("LIF", "CIFAR10, last epoch"): [81.2, 79.44],
        ("LIF", "CIFAR100"): [55.45, 52.74],
        ("LIF", "CIFAR100, last epoch"): [55.02, 52.3],
    }
    best = {place: v for place, v in repeats_of(store, psn.PSN_ORDER, "paper").items() if "last" not in place[1]}
    assert best == {
        ("k=7", "masked"): [60.73, 60.24],
        ("k=18", "masked"): [60.26, 60.83],
        ("k=25", "sliding"): [61.44, 61.64],
    }


def test_at_short_scale_they_are_read_off_both_curves(store: Store) -> None:
    """Best of the first four epochs."""
    found = repeats_of(store, psn.PSN_SEQUENTIAL, "short") | repeats_of(store, psn.PSN_ORDER, "short")
    best = [sorted(values) for (_, column), values in found.items() if "last" not in column]
    assert best == [[48.95, 52.69], [12.78, 20.3], [13.92, 16.78], [4.65, 14.07], [16.21, 19.03]]


def test_recollections_stand_beside_the_logs(store: Store) -> None:
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
