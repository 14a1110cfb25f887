"""Neurons of a user's own as rows of the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from finished_runs import measured

from core.errors import UsageError
from papers import registry
from papers.evaluate import evaluate
from papers.experiment import SCALES
from papers.own_rows import Own, found, parsed, with_rows
from papers.plif.tables import PLIF_ABLATION
from papers.psn.tables import PSN_IMAGENET
from results import Store, published

MINE = Own("mine", {"threshold": 0.8})


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("mine", Own("mine")),
        ("mine:threshold=0.8", MINE),
        ("mine:a=1,b=true,c=null,d=1e-3", Own("mine", {"a": 1, "b": True, "c": None, "d": 1e-3})),
        ("mine:a=True,b=None,shape=channels", Own("mine", {"a": True, "b": None, "shape": "channels"})),
        ('ltc:gates={"name":"dense","slope":true},b=2', Own("ltc", {"gates": {"name": "dense", "slope": 1}, "b": 2})),
        ("mine:shape=[1,2]", Own("mine", {"shape": [1, 2]})),
    ],
)  # fmt: skip
def test_what_is_written_is_read(text: str, own: Own) -> None:
    assert parsed(text) == own


@pytest.mark.parametrize("text", ["", ":a=1", "mine:0.8", "mine:x,a=1"])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="write NEURON or NEURON:option=value"):
        parsed(text)


def test_an_option_that_is_given_twice_is_told() -> None:
    with pytest.raises(UsageError, match="gives an option twice"):
        parsed("mine:a=1,b=2,a=3")


@pytest.mark.parametrize("given", ["NaN", "-Infinity", "1e999", "[1,NaN]"])
def test_a_number_that_is_not_finite_is_told(given: str) -> None:
    with pytest.raises(UsageError, match=r"decay was set to .*; give a finite number"):
        parsed(f"mine:decay={given}")


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        (name, scale)
        for name in registry.names()
        for scale in SCALES
        if registry.get(name).like and registry.get(name).cells(scale)
    ],
)
def test_a_row_has_the_recipe_of_the_tables_own(name: str, scale: str) -> None:
    table = registry.get(name)
    like = [cell for cell in table.cells(scale) if cell.row in table.like]
    assert len({cell.row for cell in like}) == 1
    extended = with_rows(table, [MINE, MINE])
    cells = table.cells(scale)
    first, added = extended.cells(scale)[: len(cells)], extended.cells(scale)[len(cells) :]
    assert [(c.row, c.heading, c.experiment.key) for c in first] == [
        (c.row, c.heading, c.experiment.key) for c in cells
    ]
    assert len(added) == len(like) > 0
    for cell, model in zip(added, like, strict=True):
        assert (cell.row, cell.heading, cell.measure) == ("mine threshold=0.8", model.heading, model.measure)
        assert (cell.experiment.neuron, cell.experiment.neuron_options) == ("mine", {"threshold": 0.8})
        own = replace(cell.experiment, neuron=model.experiment.neuron, neuron_options=model.experiment.neuron_options)
        assert own.key == model.experiment.key
        assert cell.sources == ()
    assert [own.row for own in found(table, scale, [cell.experiment for cell in added])] == ["mine threshold=0.8"]


def test_a_table_of_other_rows_takes_none() -> None:
    with pytest.raises(UsageError, match="The rows of psn_imagenet are no neurons"):
        with_rows(PSN_IMAGENET, [MINE])
    assert with_rows(PSN_IMAGENET, []) is PSN_IMAGENET


def test_runs_of_another_recipe_are_no_rows() -> None:
    experiment = PLIF_ABLATION.cells("quick")[0].experiment
    other = replace(experiment, neuron="mine", neuron_options={})
    longer = replace(other, epochs=1)
    assert [own.row for own in found(PLIF_ABLATION, "quick", [longer, other, other.with_seed(3)])] == ["mine"]
    assert found(PSN_IMAGENET, "quick", [other]) == []


def test_it_is_compared_with_the_rows_that_were_measured(tmp_path: Path) -> None:
    table = with_rows(PLIF_ABLATION, [Own("klif", {"tau": 4.0})])
    cells = {cell.row: cell.experiment for cell in table.cells("quick") if cell.column == "MNIST"}
    with Store(tmp_path / "store.db") as store:
        before = evaluate(store, table, "quick").claims[-1][1]
        for seed in (2020, 2021, 2022):
            for row, accuracy in (("klif tau=4.0", 0.95), ("LIF 2 max", 0.5), ("PLIF 2 max", 0.99)):
                store.record(measured(cells[row].with_seed(seed), accuracy + seed / 1e5 - 0.0202))
        result = evaluate(store, table, "quick")
    assert before.status == "undecided"
    finding = next(finding for claim, finding in result.claims if claim.id == "klif tau=4.0")
    parts = {part.name: part.status for part in finding.parts}
    assert finding.status == "not shown"  # better than one row, and not than the other
    assert set(parts.values()) == {"shown", "not shown"}
    assert len(parts) == 2
    cell = result.at("klif tau=4.0", "MNIST, 8x8 digits standing in")
    assert cell is not None
    assert (cell.published, cell.verdict) == ((), "not comparable")


def test_verdicts_of_the_work_do_not_depend_on_rows_of_ones_own(tmp_path: Path) -> None:
    extended = with_rows(PLIF_ABLATION, [Own("klif", {"tau": 4.0})])
    cells = {cell.row: cell for cell in extended.cells("paper") if cell.column == "MNIST"}
    with Store(tmp_path / "store.db") as store:
        published.sync(store)
        store.record(measured(cells["LIF 2 max"].experiment.with_seed(2020), 0.99))
        for seed in (2020, 2021, 2022):
            store.record(measured(cells["klif tau=4.0"].experiment.with_seed(seed), 0.9 + (seed - 2020) / 100))
        alone, beside = (
            evaluate(store, table, "paper").at("LIF 2 max", "MNIST") for table in (PLIF_ABLATION, extended)
        )
        own = evaluate(store, extended, "paper").at("klif tau=4.0", "MNIST")
    assert alone is not None
    assert beside is not None
    assert own is not None
    assert alone.published
    assert (beside.verdict, beside.reason) == (alone.verdict, alone.reason)
    assert (own.verdict, own.reason) == ("not comparable", "nothing published; a row of your own")
