"""Every experiment at scale "paper" has the settings transcribed from its work in settings, and no others."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from papers import registry
from papers.table import Cell
from training.batching import Batching

SETTINGS = [
    setting
    for file in sorted(Path(__file__).with_name("settings").glob("*.toml"))
    for setting in tomllib.loads(file.read_text(encoding="utf-8"))["setting"]
]
NOT_OF_THE_WORK = ("scale", "seed")
NONE = "None"  # as TOML, which has no null, writes it here


def leaves(values: Mapping[str, Any], *path: str) -> Iterator[tuple[str, Any]]:
    """The single values within nested ones, by dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, *path, name)
        else:
            yield ".".join((*path, name)), list(value) if isinstance(value, tuple) else NONE if value is None else value


def expected(table: str, cell: Cell) -> dict[str, Any]:
    """What the settings that hold for the cell say; no two say the same."""
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        where = {"tables": table, "rows": cell.row, "columns": cell.column}
        if all(place in setting.get(kind, (place,)) for kind, place in where.items()):
            told = {name: value for name, value in setting.items() if name not in (*where, "of")}
            for name, value in leaves(told):
                assert found.setdefault(name, value) == value, (setting["of"], name)
    if cell.row.startswith("k="):
        found["neuron_options.k"] = int(cell.row.removeprefix("k="))
    return found


@pytest.mark.parametrize("table", [name for name in registry.names() if registry.get(name).paper])
def test_settings_are_those_of_the_work(table: str) -> None:
    for cell in registry.get(table).cells("paper"):
        ours = {name: v for name, v in cell.experiment.document().items() if name not in NOT_OF_THE_WORK}
        assert dict(leaves(ours)) == expected(table, cell), (cell.row, cell.column)


def test_every_setting_is_about_some_cell() -> None:
    places = [(name, cell) for name in registry.names() for cell in registry.get(name).cells("paper")]
    for setting in SETTINGS:
        cells = [cell for table, cell in places if table in setting["tables"]]
        assert {cell.row for cell in cells} >= set(setting.get("rows", ())), setting["of"]
        assert {cell.column for cell in cells} >= set(setting.get("columns", ())), setting["of"]


# Samples of an epoch and the batches that the works count in it (PLIF: steps of the logs, section 3; PSN: sections 2.1
# and 2.3), by table, row and column; Gesture is left out, whose samples are not those of the work.
BATCHES = {
    ("plif_table", "accuracy-A", "MNIST"): (60_000, 3750),
    ("plif_table", "accuracy-A", "Fashion-MNIST"): (60_000, 3750),
    ("plif_table", "accuracy-A", "CIFAR-10"): (50_000, 3125),
    ("plif_table", "accuracy-A", "N-MNIST"): (60_000, 3750),
    ("plif_table", "accuracy-A", "CIFAR10-DVS"): (9_000, 562),
    ("plif_table", "accuracy-B", "MNIST"): (51_005, 3187),
    ("plif_table", "accuracy-B", "CIFAR-10"): (42_500, 2656),
    ("plif_table", "accuracy-B", "CIFAR10-DVS"): (7_650, 478),
    ("psn_sequential", "PSN", "CIFAR10"): (50_000, 390),
    ("psn_cifar10dvs", "sliding PSN, T=10", "CIFAR10-DVS"): (9_000, 282),
}


@pytest.mark.parametrize("scale", ["short", "paper"])
@pytest.mark.parametrize("place", BATCHES)
def test_an_epoch_has_as_many_batches_as_in_the_work(place: tuple[str, str, str], scale: str) -> None:
    table, *where = place
    cell = next(cell for cell in registry.get(table).cells(scale) if [cell.row, cell.column] == where)
    samples, batches = BATCHES[place]
    found = Batching(**cell.experiment.batching).batches(samples, cell.experiment.batch_size, seed=0, epoch=0)
    assert len(found) == batches
