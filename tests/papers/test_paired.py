"""Differences within equal seeds, against values worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from finished_runs import measured

from bench.fingerprint import implementation
from papers.evaluate import evaluate
from papers.experiment import Experiment
from papers.measures import ACCURACY, MSE
from papers.paired import change
from papers.pairs import DIFFERS, NO_DIFFERENCE, Pair, pairs
from papers.protocols import LAST
from papers.table import Cell, Table
from results import Dataset, Metric, Planned, Run, Store

FIRST, SECOND = "float32", "bf16"


def by_seed(*values: float) -> dict[int, float]:
    return dict(enumerate(values, start=2020))


def test_a_paired_difference_by_hand() -> None:
    """Differences 0.4, 0.6 and 0.8: mean 0.6, sd 0.2, standard error 0.2 / sqrt 3, t = 3 sqrt 3 with two degrees of
    freedom, of which the two-sided p is 1 - t / sqrt(t^2 + 2) = 1 - sqrt(27 / 29)."""
    found = change(ACCURACY, by_seed(90.0, 80.0, 70.0), by_seed(90.4, 80.6, 70.8))
    half = 4.302653 * 0.2 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((0.6, 0.6 - half, 0.6 + half), rel=1e-6)
    assert found.p == pytest.approx(1 - math.sqrt(27 / 29), rel=1e-6)
    assert not found.none_found
    assert found.text == "+0.60 [+0.10, +1.10] points"


def test_of_a_loss_it_is_a_factor() -> None:
    found = change(MSE, by_seed(1.0, 2.0, 4.0), by_seed(2.0, 4.0, 8.0))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))
    assert found.p == pytest.approx(0)
    assert found.text == "× 2 [2, 2]"
    perfect = change(MSE, by_seed(1.0, 2.0, 4.0), by_seed(2.0, 0.0, 8.0))
    assert (perfect.value, perfect.lacking) == (None, "a mse has no logarithm")


def test_only_seeds_of_both_are_paired() -> None:
    found = change(ACCURACY, by_seed(90.0, 80.0, 70.0), {2021: 81.0, 2022: 70.0, 2030: 1.0})
    assert (found.seeds, found.value, found.p) == ((2021, 2022), 0.5, None)
    assert found.lacking == "2 seeds, a test needs 3"
    one = change(ACCURACY, by_seed(90.0), by_seed(91.0))
    assert (one.value, one.low, one.lacking) == (1.0, None, "1 seed, a test needs 3")
    assert one.text == "+1.00 points"
    assert change(ACCURACY, {}, {}).lacking == change(ACCURACY, {1: 0.9}, {}).lacking == "not measured yet"
    assert change(ACCURACY, {1: 0.9}, {2: 0.9}).lacking == "no seed has results of both"


def test_equal_values_are_not_said_to_be_equal() -> None:
    """The digits of a share of n samples show no less than 1 / (n sqrt 6) each; so does the interval."""
    least = 0.1
    found = change(ACCURACY, by_seed(90.0, 80.0, 70.0), by_seed(90.0, 80.0, 70.0), least)
    half = 4.302653 * least / math.sqrt(3)
    assert (found.value, found.low, found.high, found.p) == pytest.approx((0, -half, half, 1))
    assert found.none_found


def cell(row: str, column: str) -> Cell:
    options = {"precision": row} if row != FIRST else {}
    made = Experiment("digits", "plif_mnist", "lif", "bptt", 2, 16, "quick", 0, {"n": column}, scheme_options=options)
    return Cell(row, column, ACCURACY, made, (), LAST, "made up")


def table(*columns: str) -> Table:
    cells = [cell(row, column) for column in columns for row in (FIRST, SECOND)]
    return Table("made", "", "Made up", lambda scale: cells, paired=(FIRST, SECOND))


def run(of: Cell, seed: int, share: float, speed: float = 100.0, **changes: object) -> Run:
    """Two epochs, of which the first was ten times as slow, as one is that compiles."""
    metrics = [Metric("test_accuracy", share / 100, "fraction", epoch) for epoch in (0, 1, 2)]
    metrics += [Metric("train_samples", 1000, "count", epoch) for epoch in (0, 1, 2)]
    metrics += [Metric("train_seconds", (10 if epoch == 0 else 1) * 1000 / speed, "s", epoch) for epoch in (0, 1, 2)]
    return measured(of.experiment.with_seed(seed), 0.0, **{"metrics": tuple(metrics), "peak_memory": 2**20, **changes})


def record(store: Store, of: Cell, shares: Sequence[float], **changes: object) -> None:
    store.record_all(run(of, seed, share, **changes) for seed, share in enumerate(shares, start=2020))


def held(store: Store, made: Table) -> tuple[Pair, ...]:
    return pairs(store, evaluate(store, made, "quick"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.db")


def test_rows_of_a_table_by_holm(store: Store) -> None:
    made = table("one", "two", "three")
    for column in ("one", "two"):
        record(store, cell(FIRST, column), (90.0, 80.0, 70.0), speed=200.0)
    record(store, cell(SECOND, "one"), (90.4, 80.6, 70.8), speed=100.0, peak_memory=2**19)
    record(store, cell(SECOND, "two"), (89.0, 79.1, 68.9))
    one, two = held(store, made)  # of the third nothing was tried
    p = 1 - math.sqrt(27 / 29)
    assert one.change.p == pytest.approx(p, rel=1e-3)
    assert (one.adjusted, one.finding) == (pytest.approx(p, rel=1e-3), DIFFERS)
    assert (two.change.value, two.finding) == (pytest.approx(-1.0), DIFFERS)
    assert two.adjusted == pytest.approx(2 * two.change.p)
    assert (one.speed.first, one.speed.second) == pytest.approx((200, 100))  # of the median epoch
    assert one.speed.change.value == pytest.approx(0.5)
    assert one.memory.change.value == pytest.approx(0.5)
    record(store, cell(FIRST, "three"), (50.0, 50.0, 50.0))
    record(store, cell(SECOND, "three"), (50.1, 49.9, 50.0))
    assert [pair.finding for pair in held(store, made)] == [NO_DIFFERENCE, DIFFERS, NO_DIFFERENCE]  # 2 p > 0.05
    assert held(store, replace(made, paired=None)) == ()


def test_what_is_not_tested_says_why(store: Store) -> None:
    made = table("one")
    record(store, cell(FIRST, "one"), (90.0, 80.0, 70.0))
    (pair,) = held(store, made)
    assert (pair.finding, pair.speed.first) == ("not measured yet", None)
    record(store, cell(SECOND, "one"), (90.0, 80.0))
    assert [pair.finding for pair in held(store, made)] == ["2 seeds, a test needs 3"]
    store.record(run(cell(SECOND, "one"), 2022, 0.0, outcome="diverged", reason="nan", metrics=()))
    assert [pair.finding for pair in held(store, made)] == ["1 training diverged"]


def test_fewer_than_were_planned_are_not_tested(store: Store) -> None:
    for row in (FIRST, SECOND):
        of = cell(row, "one")
        record(store, of, (90.0, 80.0, 70.0))
        code = implementation(of.experiment)
        store.record_all(planned=[Planned(of.experiment.key, code, tuple(range(2020, 2025)), "2020-01-01T00:00:00Z")])
    assert [pair.finding for pair in held(store, table("one"))] == ["3 of 5 seeds have results of both"]


def test_a_seed_that_the_second_alone_has_forbids_the_test(store: Store) -> None:
    record(store, cell(FIRST, "one"), (90.0, 80.0, 70.0))
    record(store, cell(SECOND, "one"), (90.0, 80.0, 70.0, 60.0))
    assert [pair.finding for pair in held(store, table("one"))] == ["3 of 4 seeds have results of both"]


def test_another_kernel_is_no_pair(store: Store) -> None:
    record(store, cell(FIRST, "one"), (90.0, 80.0, 70.0))
    second = cell(SECOND, "one")
    for seed, share in enumerate((90.0, 80.0, 70.0)):
        made = run(second, 2020 + seed, share)
        store.record(replace(made, kernels={"fused": {"code": "c" * 12, "rule": "d" * 12, "proof": "e" * 12}}))
    (pair,) = held(store, table("one"))
    assert pair.finding == "the two were measured with other code, on another device or on other data"


def test_other_data_are_no_pair(store: Store) -> None:
    record(store, cell(FIRST, "one"), (90.0, 80.0, 70.0))
    other = Dataset("e", "digits", True, {"train": 1400, "test": 397})
    record(store, cell(SECOND, "one"), (90.0, 80.0, 70.0), datasets=(other,), machine={"cpu": "another"})
    (pair,) = held(store, table("one"))
    assert pair.finding == "the two were measured with other code, on another device or on other data"
    assert pair.speed.change.lacking == "not all on one machine with as many threads"
