"""Verdicts of cells from the store: spreads of other cells, units, single samples, and what chance would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import synthetic_runs as invented

from papers.evaluate import CellResult, TableResult, evaluate
from papers.experiment import Experiment
from papers.measures import ACCURACY, Measure
from papers.protocols import BEST, LAST
from papers.table import Cell, Source, Table
from reports import wording
from results import Dataset, Metric, Published, Sample, Store

N = 10_000


def experiment(row: str) -> Experiment:
    return Experiment("digits", "plif_mnist", "lif", "bptt", 1, 16, "quick", 0, model_options={"row": row})


def cell(row: str, column: str = "images", measure: Measure = ACCURACY, **changes: object) -> Cell:
    made = Cell(row, column, measure, experiment(f"{row} {column}"), (Source("table1", row, column),), LAST)
    return replace(made, **changes)  # type: ignore[arg-type]


def publish(store: Store, *values: tuple[str, str, float, str, int | None]) -> None:
    """Row, column, value, unit and decimals of each."""
    table = {"table": "table1", "caption": "", "source": "table 1", "provenance": "reported", "note": ""}
    printed = [
        Published("work", "table1", row, column, "A", None, value, unit, "table 1", "reported", decimals)
        for row, column, value, unit, decimals in values
    ]
    store.replace_published("work", "digest", [table], printed)


def record(store: Store, of: Cell, shares: Sequence[float], complete: bool = True, n: int | None = N) -> None:
    """Runs whose only epoch has these test accuracies, in percent."""
    counts = {"train": 1} if n is None else {"train": 1, "test": n}
    for seed, share in enumerate(shares):
        data = (Dataset("ab" * 32, "digits", complete, counts, "" if complete else "a part"),)
        metrics = (Metric(ACCURACY.curve("test"), share / 100, "fraction", 0),)
        store.record(invented.run(of.experiment, seed, final=0.5, metrics=metrics, datasets=data))


def judged(store: Store, *cells: Cell) -> TableResult:
    return evaluate(store, Table("made", "work", "Made up", lambda scale: list(cells)), "quick")


def only(store: Store, of: Cell) -> CellResult:
    (result,) = judged(store, of).cells
    return result


def test_one_run_is_judged_by_the_spread_of_other_cells_of_its_column(empty_store: Store) -> None:
    one, two, three = cell("one"), cell("two"), cell("three")
    part, elsewhere, best = cell("part"), cell("one", "events"), cell("best", protocol=BEST)
    publish(empty_store, ("one", "images", 93.4, "%", 1), ("two", "images", 90.0, "%", 1))
    record(empty_store, one, [93.6])
    record(empty_store, two, [90.0, 90.1])
    record(empty_store, three, [91.0, 91.1, 91.2])
    record(empty_store, part, [70.0, 80.0], complete=False)
    record(empty_store, elsewhere, [50.0, 60.0])
    record(empty_store, best, [50.0, 60.0])
    result = judged(empty_store, one, two, three, part, elsewhere, best)
    assert (result.cells[0].verdict, result.cells[0].reason) == (
        "reproduced",
        "one run: the spread, +-0.0913 points, is that of 2 others of the column (3 degrees of freedom)",
    )
    assert only(empty_store, one).verdict == "undecided"


def test_a_setting_that_stands_in_two_cells_is_pooled_once(empty_store: Store) -> None:
    one, two = cell("one"), cell("two")
    again = replace(two, row="again")
    publish(empty_store, ("one", "images", 93.4, "%", 1))
    record(empty_store, one, [93.6])
    record(empty_store, two, [90.0, 90.1, 90.2])
    assert "1 other of the column (2 degrees of freedom)" in judged(empty_store, one, two, again).cells[0].reason


def test_a_share_of_an_unknown_number_says_so(empty_store: Store) -> None:
    publish(empty_store, ("one", "images", 93.4, "%", 1))
    record(empty_store, cell("one"), [93.4, 93.5, 93.6], n=None)
    found = only(empty_store, cell("one"))
    assert (found.verdict, found.reason, found.low) == ("undecided", "the size of the test set is not known", None)


def test_what_falls_outside_is_counted_beside_what_chance_would_do(empty_store: Store) -> None:
    rows = {"same": 93.55, "other": 80.0, "wide": 93.0, "one": 93.0}
    publish(empty_store, *((row, "images", value, "%", 2) for row, value in rows.items()))
    for row, spread in (("same", 0.1), ("other", 0.1), ("wide", 2.0)):
        record(empty_store, cell(row), [93.6 - spread, 93.6, 93.6 + spread])
    result = judged(empty_store, *map(cell, ("same", "other", "wide")))
    assert [found.verdict for found in result.cells] == ["reproduced", "higher", "undecided"]
    assert result.outside == (1, 3, pytest.approx(0.15))
    text = "Of 3 published values held against an interval, 1 lies outside; by chance alone 0.15 would, one in 20."
    assert wording.by_chance(result) == text
    assert wording.by_chance(judged(empty_store, cell("one"))) == ""


SECONDS = Measure("latency", "s", "lower", "student", over="")


@pytest.mark.parametrize(
    ("measure", "metric", "value", "unit", "shown"),
    [
        (ACCURACY, "test_accuracy", 0.934, "fraction", 93.4),
        (SECONDS, "latency", 31.0, "ms", 0.031),
        (Measure("synapses", "count", "lower", "exact", over=""), "synapses", 340.0, "1", 340.0),
    ],
)
def test_published_values_are_shown_in_the_unit_of_the_measure(
    empty_store: Store, measure: Measure, metric: str, value: float, unit: str, shown: float
) -> None:
    publish(empty_store, ("one", "images", value, unit, 3))
    (found,) = only(empty_store, cell("one", measure=measure)).published
    assert found.value == shown
    assert found.tolerance == pytest.approx(0.0005 * shown / value)
    assert wording.published_value(found) == f"{shown:g}"


def test_a_published_value_of_another_kind_is_refused(empty_store: Store) -> None:
    publish(empty_store, ("one", "images", 12.0, "GMAC", 0))
    record(empty_store, cell("one"), [93.4, 93.5, 93.6])
    found = only(empty_store, cell("one"))
    assert (found.verdict, found.reason) == ("not comparable", "the published value is in another unit, GMAC")
    assert wording.published(found) == "12 GMAC"


def test_means_and_repeats_are_marked(empty_store: Store) -> None:
    publish(empty_store, ("one", "images", 93.4, "%", 1), ("two", "images", 93.2, "%", 1))
    sources = (Source("table1", "one", "images", runs=5), Source("table1", "two", "images", repeat=True))
    found = only(empty_store, cell("one", sources=sources))
    assert wording.published(found) == "93.4 (mean of 5), 93.2 (repeat)"
    assert wording.disagreement(found) == ""
    documents = tuple(replace(source, runs=1, repeat=False) for source in sources)
    both = only(empty_store, cell("one", sources=documents))
    assert (wording.published(both), wording.disagreement(both)) == ("93.4 / 93.2", "93.4 and 93.2")


@pytest.mark.parametrize("rule", ["bootstrap", "readings"])
def test_single_samples_reach_the_rules_that_read_them(empty_store: Store, rule: str) -> None:
    precision = Measure("precision", "1", "higher", rule, over="")
    of = cell("one", measure=precision)
    samples = tuple(Sample("precision", place, float(place % 2), "1") for place in range(100))
    empty_store.record(
        invented.run(of.experiment, final=0.5, metrics=(Metric("precision", 0.5, "1"),), samples=samples)
    )
    found = only(empty_store, of)
    assert found.low is not None
    assert found.high is not None
    # The mean of 100 such samples has the standard error 0.05; between 0 and 1 the median may lie anywhere.
    expected = (0.402, 0.598) if rule == "bootstrap" else (0.0, 1.0)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.02)


def test_without_samples_such_a_cell_has_no_interval(empty_store: Store) -> None:
    curve = cell("one", measure=Measure("precision", "1", "higher", "bootstrap"), protocol=BEST)
    samples = (Sample("test_precision", 0, 0.5, "1"), Sample("test_precision", 1, 0.7, "1"))
    metrics = (Metric("test_precision", 0.6, "1", 0),)
    empty_store.record(invented.run(curve.experiment, final=0.5, metrics=metrics, samples=samples))
    assert only(empty_store, curve).low is None  # they belong to the last epoch, not to the best
    assert only(empty_store, replace(curve, protocol=LAST)).low is not None
