"""The tables of operations and energy, as a reader gets them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from finished_runs import measured
from rich.console import Console

from bench.fingerprint import implementation
from papers import registry
from papers.evaluate import evaluate
from papers.operations import DEFINITIONS, counted, rows
from reports import operations, site
from results import Metric, Standing, Store

TABLE = registry.get("plif_ablation")
CELL = TABLE.cells("quick")[0]
EXPERIMENT = counted(CELL.experiment).with_seed(2020)
COUNTS = {
    "place": 0.0, "nnz": 10.0, "ones": 10.0, "graded": 0.0, "ac": 1200.0, "mac": 0.0, "reached": 1300.0,
    "dense": 9000.0, "textbook": 10_000.0, "rate": 0.15, "zeros": 0.0,
}  # fmt: skip
WHOLE = {"samples": 397.0, "T": 8.0, "parameters": 12_345.0, "footprint": 2048.0, "state": 512.0}


def metrics(**changes: float | None) -> tuple[Metric, ...]:
    counts = {f"ops_{what}_conv.0": value for what, value in COUNTS.items()}
    found = {**{f"ops_{what}": value for what, value in WHOLE.items()}, **counts, "ops_joules": None, **changes}
    return tuple(Metric(name, value, "op") for name, value in found.items())


@pytest.fixture
def store() -> Store:
    opened = Store(":memory:")
    opened.record(measured(CELL.experiment.with_seed(2020), 0.9))
    return opened


def text(store: Store, width: int = 160) -> str:
    out = io.StringIO()
    operations.show(rows(store, TABLE.cells("quick")), Console(file=out, width=width))
    return out.getvalue()


def test_nothing_is_shown_of_what_was_not_counted(store: Store) -> None:
    assert text(store) == ""
    assert operations.shown([]) is None


@pytest.mark.parametrize("width", [160, 80])
def test_every_figure_has_its_definition_and_every_energy_its_table(store: Store, width: int) -> None:
    store.record(measured(EXPERIMENT, 0.9, metrics=metrics(), reason="joules are not measured: no GPU"))
    said = text(store, width)
    words = " ".join(said.split())
    for figure in ("12.3 k", "2.0 KiB", "512 B", "9 k", "1.2 k", "1.3 k", "1.5 k (×1.25)"):
        assert figure in words, figure
    assert "1.08 nJ / 1.35 nJ" in words  # 1,200 and 1,500 accumulates of 0.9 pJ
    assert "397 test samples, T = 8, 1 seed" in words
    assert "– joules are not measured: no GPU" in words
    assert all(f"{name} " in words for name in DEFINITIONS)
    assert "10.1109/ISSCC.2014.6757323" in words
    assert "Joules of a GPU" not in words


def test_measured_joules_have_a_table_of_their_own(store: Store) -> None:
    store.record(measured(EXPERIMENT, 0.9, metrics=metrics(ops_joules=0.25, ops_idle=0.2)))
    said = text(store)
    assert "Joules of a GPU" in said
    assert "250 mJ" in said


def test_seeds_are_averaged_and_unknown_ones_make_the_mean_unknown(store: Store) -> None:
    more = {"ops_ac_conv.0": 1400.0}
    store.record_all([
        measured(EXPERIMENT, 0.9, metrics=metrics()), measured(EXPERIMENT.with_seed(2021), 0.9, metrics=metrics(**more))
    ])  # fmt: skip
    (row,) = rows(store, [CELL])
    assert row.operations.ac == 1300
    assert len(row.runs) == 2
    store.record(measured(EXPERIMENT.with_seed(2022), 0.9, metrics=metrics(**{"ops_ac_conv.0": None})))
    (row,) = rows(store, [CELL])
    assert row.operations.counts is None


def test_a_count_by_other_code_is_marked(store: Store) -> None:
    store.record(measured(EXPERIMENT, 0.9, metrics=metrics()))
    store.record_standing({EXPERIMENT.template: Standing("000000000000")})
    assert "* PLIF" in text(store)
    store.record_standing({EXPERIMENT.template: Standing(implementation(EXPERIMENT))})
    assert "* PLIF" not in text(store)


def test_the_cells_of_the_table_stay_what_they_were(store: Store) -> None:
    before = evaluate(store, TABLE, "quick")
    store.record(measured(EXPERIMENT, 0.1, metrics=metrics()))
    assert evaluate(store, TABLE, "quick").cells == before.cells


def test_the_page_of_the_table_has_them(store: Store, tmp_path: Path) -> None:
    def page() -> str:
        site.build(store, tmp_path, ["quick"], ["plif_ablation"])
        return (tmp_path / "report" / "plif_ablation-quick.html").read_text(encoding="utf-8")

    assert "Operations and energy" not in page()
    store.record(measured(EXPERIMENT, 0.9, metrics=metrics()))
    assert "Operations and energy" in page()
    assert "1.08 nJ / 1.35 nJ" in page()


def test_the_page_of_a_run_has_its_layers() -> None:
    neurons = {"ops_neurons_conv.2": 64.0, "ops_spikes_conv.2": 32.0, "ops_updates_conv.2": None}
    said = operations.of_run(measured(EXPERIMENT, 0.9, metrics=metrics(**neurons)))
    assert said is not None
    grids = {grid.title: dict(grid.lines) for grid in said.grids}
    assert grids["Operations of each layer"] == {
        "conv.0": ("0.150", "0.000", "9 k", "1.2 k", "0", "1.3 k", "1.5 k (×1.25)")
    }
    assert grids["Spikes of each layer"] == {"conv.2": ("64", "0.500", "–")}
    assert operations.of_run(measured(EXPERIMENT, 0.9)) is None
