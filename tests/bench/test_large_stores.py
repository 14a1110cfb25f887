"""Invented stores, and what must not grow with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import synthetic
from bench.asv.stores import Stores
from bench.plan import plan
from papers import registry
from results import Store, lines, reading


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "store.db"
    with Store(path) as store:
        synthetic.fill(store, 130, metrics=40)
    return path


def test_invented_runs_are_valid_current_and_always_the_same(large: Path) -> None:
    with Store(large) as store, Store("sqlite://") as copy:
        found = store.full_runs()
        assert len({run.id for run in found}) == 130
        assert {len(run.metrics) for run in found} == {40}
        steps = plan(store, registry.get("plif_ablation").experiments("quick", [2020]), None)
        assert {step.status for step in steps} == {"done"}
        synthetic.fill(copy, 130, metrics=40)
        assert lines.dump(copy) == lines.dump(store)


def test_a_plan_reads_sources_once_a_setting_and_data_sets_once(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("runs", "datasets"):
        really = getattr(Store, name)
        monkeypatch.setattr(
            Store, name, lambda store, *a, name=name, really=really: asked.append(name) or really(store, *a)
        )
    from bench import plan as module

    looked = []
    really_here = module.here
    monkeypatch.setattr(module, "here", lambda e: looked.append(e.template) or really_here(e))
    experiments = registry.get("plif_ablation").experiments("quick", range(2020, 2032))
    with Store(large) as store:
        plan(store, experiments, None)
    assert sorted(asked) == ["datasets", "runs"]
    assert sorted(looked) == sorted({experiment.template for experiment in experiments})


def test_an_import_holds_a_few_runs_at_a_time(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(large) as store:
        lines.write(store, tmp_path / "lines.jsonl")
    monkeypatch.setattr("results.store.AT_ONCE", 20)
    together: list[int] = []
    really = Store._add_runs
    monkeypatch.setattr(Store, "_add_runs", lambda *a: together.append(len(a[-1])) or really(*a))
    with Store(tmp_path / "copy.db") as copy:
        runs, *others = reading.read([tmp_path / "lines.jsonl"])
        assert copy.record_all(iter(runs), *others) == 130
    assert together == [20] * 6 + [10]


def test_the_suite_of_asv_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.asv.stores.RUNS", 30)
    suite = Stores()
    folder = suite.setup_cache()
    for name in dir(suite):
        if name.startswith(("time_", "peakmem_")):
            getattr(suite, name)(folder)
