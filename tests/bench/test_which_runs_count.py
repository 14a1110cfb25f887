"""What of a store decides a cell and a claim: runs of one code and data, of planned seeds, on whole data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import stores
from finished_runs import measured

from bench import planned
from bench.plan import plan
from papers.comparison import by, greater
from papers.evaluate import TableResult, evaluate
from papers.experiment import Experiment
from papers.measures import ACCURACY
from papers.plif.tables import PLIF_ABLATION
from papers.protocols import BEST
from papers.table import Cell, Claim, Source, Table
from results import Dataset, Planned, Store

FIRST, SECOND, *_ = (e for e in PLIF_ABLATION.experiments("quick", [0]))
CLAIM = Claim("C1", "first above second", "nowhere", greater("first", "second", by(ACCURACY, BEST)))
SOURCE = Source("readme_ablation_a", "PLIF 2 max", "CIFAR-10")
CELLS = [
    Cell("first", "data", ACCURACY, FIRST, (SOURCE,)),
    Cell("second", "data", ACCURACY, SECOND),
    Cell("first", "other data", ACCURACY, replace(FIRST, epochs=99)),
    Cell("second", "other data", ACCURACY, replace(SECOND, epochs=99)),
]
BETTER, WORSE = (0.934, 0.935, 0.936), (0.80, 0.81, 0.82)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(stores.with_published(tmp_path / "store.db"))


def put(store: Store, experiment: Experiment, values: Sequence[float], first: int = 0, **changes: Any) -> None:
    for seed, value in enumerate(values, first):
        store.record(measured(experiment.with_seed(seed), value, **changes))


def judged(store: Store, columns: Sequence[str] = ("data",)) -> TableResult:
    cells = [cell for cell in CELLS if cell.column in columns]
    return evaluate(store, Table("made", "plif", "Made up", lambda scale: cells, (CLAIM,)), "paper")


def claimed(store: Store, columns: Sequence[str] = ("data",)) -> str:
    ((_, finding),) = judged(store, columns).claims
    return f"{finding.status}: {finding.text}"


def asked(store: Store, *seeds: int) -> None:
    planned.record(store, plan(store, [e.with_seed(s) for e in (FIRST, SECOND) for s in seeds], None))


def test_a_column_that_was_not_measured_leaves_a_claim_open(store: Store) -> None:
    put(store, FIRST, BETTER)
    put(store, SECOND, WORSE)
    assert claimed(store).startswith("holds")
    found = claimed(store, ("data", "other data"))
    assert found.startswith("undecided: holds in 1 of 2 columns, undecided in 1")
    assert found.endswith("other data: undecided, not measured yet")


def test_runs_of_older_code_do_not_stand_beside_newer_ones(store: Store) -> None:
    put(store, FIRST, BETTER, implementation="older", started="2026-01-01T00:00:00.000000Z")
    put(store, SECOND, WORSE)
    put(store, FIRST, [0.7], first=7)
    cell = judged(store).at("first", "data")
    assert cell is not None
    assert cell.values == (70.0,)
    assert cell.reason.endswith("; 3 runs of other code or data left out")
    assert "1 and 3 seeds), a test needs 3 seeds" in claimed(store)


def test_a_plan_after_the_fact_decides_nothing(store: Store) -> None:
    put(store, FIRST, (*BETTER, 0.1, 0.2))
    put(store, SECOND, WORSE)
    asked(store, 0)
    assert store.planned() == []
    implementation = store.runs()[0].implementation
    late = Planned(FIRST.with_seed(0).key, implementation, (0, 1, 2), "2100-01-01T00:00:00.000000Z")
    store.record_all(planned=[late])
    assert claimed(store).startswith("undecided: no plan recorded, all seeds found count")


def test_seeds_beyond_the_plan_decide_no_cell(store: Store) -> None:
    asked(store, 0, 1, 2)
    put(store, FIRST, (*BETTER, 0.1, 0.2))
    cell = judged(store).at("first", "data")
    assert cell is not None
    assert cell.values == pytest.approx((93.4, 93.5, 93.6))
    assert cell.reason.endswith("2 runs beyond the plan left out")


def test_seeds_that_diverged_are_not_forgotten(store: Store) -> None:
    put(store, FIRST, BETTER)
    put(store, SECOND, WORSE)
    put(store, FIRST, [0.0] * 4, first=3, outcome="diverged", reason="nan in epoch 0", metrics=(), datasets=())
    cell = judged(store).at("first", "data")
    assert cell is not None
    assert (cell.verdict, cell.reason) == ("undecided", "4 of 7 runs diverged")
    assert "3 of 7 seeds have results" in claimed(store)


def test_nothing_is_claimed_of_a_part_of_the_data(store: Store) -> None:
    part = Dataset("e", "digits", False, {"train": 140, "test": 50}, note="1 of 5 files")
    put(store, FIRST, BETTER, datasets=(part,))
    put(store, SECOND, WORSE)
    assert "1 of 5 files" in claimed(store)
    assert claimed(store).startswith("undecided")
    cell = judged(store).at("first", "data")
    assert cell is not None
    assert cell.verdict == "not comparable"
