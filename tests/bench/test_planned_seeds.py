"""How many seeds an experiment gets is written down before its first run; seeds beyond decide nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_runs import measured

from bench import planned
from bench.plan import plan
from papers.plif.tables import PLIF_ABLATION
from papers.seeds import deciding
from results import Planned, Store

TEMPLATE = PLIF_ABLATION.experiments("quick", [0])[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.db")


def asked(store: Store, *seeds: int) -> int:
    return planned.record(store, plan(store, [TEMPLATE.with_seed(seed) for seed in seeds], None))


def decided(store: Store) -> tuple[int, ...] | None:
    (step,) = plan(store, [TEMPLATE], None)
    begun = [run.started for run in store.runs() if run.implementation == step.implementation]
    return deciding(store.planned(), TEMPLATE.key, step.implementation, begun)


def test_the_first_plan_with_enough_seeds_decides(store: Store) -> None:
    assert asked(store, 1) == 0
    assert decided(store) == (1,)
    assert asked(store, 1, 2, 3) == 0  # one seed allows no test, so nobody can stop at the right moment
    assert asked(store, 1, 2) == 0
    assert decided(store) == (1, 2, 3)
    assert asked(store, 1, 2, 3, 4, 5) == 2
    assert decided(store) == (1, 2, 3)
    assert [plan.seeds for plan in store.planned()] == [(1,), (1, 2, 3)]


def test_no_plan_is_made_after_the_fact(store: Store) -> None:
    for seed in (1, 2, 3):
        store.record(measured(TEMPLATE.with_seed(seed), 0.9))
    assert asked(store, 1, 2, 3, 4) == 0
    assert store.planned() == []


def test_a_plan_is_for_one_state_of_the_code(store: Store) -> None:
    store.record_all(planned=[Planned(TEMPLATE.key, "older code", (1, 2, 3), "2026-01-01T00:00:00Z")])
    assert asked(store, 4, 5, 6) == 0
    assert decided(store) == (4, 5, 6)


def test_merged_stores_keep_the_older_plan(store: Store) -> None:
    later, older = (
        Planned(TEMPLATE.key, "code", seeds, created)
        for seeds, created in (((1, 2, 3, 4), "2026-01-02T00:00:00Z"), ((1, 2, 3), "2026-01-01T00:00:00Z"))
    )
    for plans in ([later], [older], [later, older]):
        store.record_all(planned=plans)
    assert store.planned() == [older, later]
    assert deciding(store.planned(), TEMPLATE.key, "code", ()) == (1, 2, 3)
