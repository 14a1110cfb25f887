"""From the store to results: every cell of a table with its measurement and verdict, every claim with its finding."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .evidence import Evidence
from .experiment import Experiment
from .fingerprint import implementation
from .intervals import accuracy_interval
from .present import Present, other_data
from .table import Cell, Claim, Finding, Source, Table, headings
from .verdict import verdict

if TYPE_CHECKING:
    from results import Dataset, Metric, Published, Store, StoredRun

FIRM = ("reported", "derived")  # provenances that decide a verdict
LAST_DIGIT = 0.005  # half a unit of the last digit of a percentage printed with two decimals


@dataclass(frozen=True)
class PublishedValue:
    """A published number in the table's unit, and where it stands; `provenance` as in the store."""

    value: float
    source: str
    provenance: str


@dataclass(frozen=True)
class CellResult:
    """A cell with what is known of it. Values are in the table's unit; `low` and `high` bound a 95 % interval.

    `measured` is the mean over `values` (one a seed, with `runs` in the same order), None when nothing was measured;
    `reason` says why the verdict is what it is, or why there is no measurement. `attempts` are the latest runs, one a
    seed, whatever their outcome. `stale` marks a value measured by an earlier implementation or on other data.
    """

    cell: Cell
    published: tuple[PublishedValue, ...]
    values: tuple[float, ...]
    measured: float | None
    low: float | None
    high: float | None
    test_samples: int | None
    verdict: str
    reason: str
    runs: tuple[StoredRun, ...]
    attempts: tuple[StoredRun, ...]
    stale: bool


@dataclass(frozen=True)
class TableResult:
    """A table at one scale: results by row and column, the claims with their findings, and the seeds found."""

    table: Table
    scale: str
    seeds: tuple[int, ...]
    cells: tuple[CellResult, ...]
    claims: tuple[tuple[Claim, Finding], ...]

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(result.cell.row for result in self.cells))

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys(result.cell.column for result in self.cells))

    @property
    def headings(self) -> dict[str, str]:
        """The columns as they are shown: with what stands in for their data sets."""
        return headings(result.cell for result in self.cells)

    def of(self, wanted: Callable[[Cell], bool]) -> TableResult:
        """The same with the wanted cells alone; its claims are decided on all cells."""
        return replace(self, cells=tuple(result for result in self.cells if wanted(result.cell)))

    def at(self, row: str, column: str) -> CellResult | None:
        """The cell in `row` and `column`, or None where the table has none."""
        return next((r for r in self.cells if (r.cell.row, r.cell.column) == (row, column)), None)


class _Runs:
    """The latest runs of a table's experiments, whatever their seed, and their data."""

    def __init__(
        self, store: Store, cells: Sequence[Cell], seeds: Iterable[int] | None, present: Present | None
    ) -> None:
        self.store, self.present = store, present
        self._stale: dict[str, bool] = {}
        wanted = {cell.experiment.key for cell in cells}  # all with seed 0
        best: dict[tuple[str, int], StoredRun] = {}
        latest: dict[tuple[str, int], StoredRun] = {}
        chosen = None if seeds is None else set(seeds)
        for run in store.runs():  # oldest first
            template = _template(run)
            if template not in wanted or (chosen is not None and run.seed not in chosen):
                continue
            if run.outcome != "skipped" or (template, run.seed) not in latest:  # another process was at it
                latest[template, run.seed] = run
            old = best.get((template, run.seed))
            if run.outcome == "ok" and (old is None or self.stale(old) or not self.stale(run)):
                best[template, run.seed] = run
        self.ok, self.latest = best, latest
        ids = [run.id for run in best.values()]
        self.metrics: dict[str, list[Metric]] = store.metrics(ids)
        self.datasets: dict[str, tuple[Dataset, ...]] = {run_id: store.datasets(run_id) for run_id in ids}
        self.seeds = sorted({seed for _, seed in latest})

    def stale(self, run: StoredRun) -> bool:
        """Whether the code has changed since, or the data, where it is known which are at hand."""
        if run.id not in self._stale:
            experiment = Experiment.of(run.experiment)
            stale = run.implementation != implementation(experiment)
            if not stale and self.present:
                stale = bool(other_data(self.store.datasets(run.id), self.present.known(experiment)))
            self._stale[run.id] = stale
        return self._stale[run.id]

    def of(self, cell: Cell) -> list[StoredRun]:
        return [run for (key, _), run in sorted(self.ok.items()) if key == cell.experiment.key]

    def attempts(self, cell: Cell) -> list[StoredRun]:
        return [run for (key, _), run in sorted(self.latest.items()) if key == cell.experiment.key]

    def value(self, run: StoredRun, metric: str) -> float | None:
        return next((m.value for m in self.metrics[run.id] if m.name == metric and m.step is None), None)

    def test_samples(self, runs: Sequence[StoredRun]) -> int | None:
        return next((d.counts["test"] for run in runs for d in self.datasets[run.id] if "test" in d.counts), None)

    def incomplete(self, runs: Sequence[StoredRun]) -> str:
        subsets = (d for run in runs for d in self.datasets[run.id] if not d.complete)
        return next((d.note or f"{d.name} is a subset" for d in subsets), "")


def _template(run: StoredRun) -> str | None:
    """Key of the run's experiment with seed 0; None for a document that this version does not understand."""
    try:
        return Experiment.of(run.experiment).with_seed(0).key
    except TypeError:
        return None


def evaluate(
    store: Store, table: Table, scale: str, seeds: Iterable[int] | None = None, present: Present | None = None
) -> TableResult:
    """`table` at `scale` from what `store` holds; only the given `seeds`, or all that are there.

    What was measured on other data than `present` knows of is stale; without it the store alone is asked.
    """
    cells = table.cells(scale)
    runs = _Runs(store, cells, seeds, present)
    published = _PublishedLookup(store, table.paper)
    results = tuple(_cell_result(cell, runs, published) for cell in cells)
    evidence = _evidence(scale, cells, runs, results)
    return TableResult(
        table, scale, tuple(runs.seeds), results, tuple((claim, claim.decide(evidence)) for claim in table.claims)
    )


def _cell_result(cell: Cell, runs: _Runs, lookup: _PublishedLookup) -> CellResult:
    measured_runs = [run for run in runs.of(cell) if runs.value(run, cell.metric) is not None]
    fractions = [value for run in measured_runs if (value := runs.value(run, cell.metric)) is not None]
    attempts = runs.attempts(cell)
    published = tuple(found for source in cell.sources if (found := lookup.value(source)) is not None)
    n = runs.test_samples(measured_runs)
    low = high = measured = None
    if fractions and n:
        low, high = (100 * bound for bound in accuracy_interval(fractions, n))
        measured = 100 * statistics.fmean(fractions)
    firm = [p.value for p in published if p.provenance in FIRM]
    soft = "" if firm or not published else "the published value is " + published[0].provenance.replace("_", " ")
    not_comparable = cell.not_comparable or runs.incomplete(measured_runs) or soft
    word, reason = verdict(firm or [p.value for p in published], low, high, not_comparable, LAST_DIGIT)
    if measured is None and attempts:
        ended = attempts[-1]
        reason = f"the run has no {cell.metric}" if ended.outcome == "ok" else f"{ended.outcome}: {ended.reason}"
    return CellResult(
        cell,
        published,
        tuple(100 * value for value in fractions),
        measured,
        low,
        high,
        n,
        word,
        reason,
        tuple(measured_runs),
        tuple(attempts),
        any(runs.stale(run) for run in measured_runs),
    )


def _evidence(scale: str, cells: Sequence[Cell], runs: _Runs, results: Sequence[CellResult]) -> Evidence:
    curves: dict[tuple[str, str, int, str], list[float]] = {}
    finals: dict[tuple[str, str, int, str], float] = {}
    test_samples: dict[str, int] = {}
    for cell in cells:
        for run in runs.of(cell):
            place = (cell.row, cell.column, run.seed)
            by_epoch: dict[str, list[tuple[int, float]]] = defaultdict(list)
            for metric in runs.metrics[run.id]:
                if metric.value is None:
                    continue
                if metric.step is None:
                    finals[(*place, metric.name)] = metric.value
                else:
                    by_epoch[metric.name].append((metric.step, metric.value))
            for name, points in by_epoch.items():
                curves[(*place, name)] = [value for _, value in sorted(points)]
            test_samples[cell.column] = runs.test_samples([run]) or 0
    columns = tuple(dict.fromkeys(cell.column for cell in cells))
    published = {
        (result.cell.row, result.cell.column): [p.value / 100 for p in result.published if p.provenance in FIRM]
        for result in results
        if result.verdict != "not comparable"
    }
    return Evidence(scale, columns, tuple(runs.seeds), curves, finals, test_samples, published, headings(cells))


class _PublishedLookup:
    """Published values of one paper by table, row and column."""

    def __init__(self, store: Store, paper: str) -> None:
        self.values: dict[tuple[str, str, str], Published] = {}
        self.curves: dict[tuple[str, str], dict[int, Published]] = defaultdict(dict)
        for value in store.published(paper):
            if value.step is None:
                self.values[value.table, value.row, value.column] = value
            else:
                self.curves[value.row, value.column][value.step] = value

    def value(self, source: Source) -> PublishedValue | None:
        if source.until is not None:
            return self._from_curve(source, source.until)
        found = self.values.get((source.table, source.row, source.column))
        return None if found is None else PublishedValue(found.value, found.source, found.provenance)

    def _from_curve(self, source: Source, until: int) -> PublishedValue | None:
        """Accuracy A (largest on test), B (test at the last of the largest on validation) or last of the epochs."""
        test = {epoch: p for epoch, p in self.curves[source.row, "test_acc"].items() if epoch < until}
        if not test:
            return None
        chosen = test
        if source.column == "accuracy_b":
            chosen = {epoch: p for epoch, p in self.curves[source.row, "val_acc"].items() if epoch in test}
        epoch = max(chosen, key=lambda e: (chosen[e].value, e))
        if source.column == "accuracy_last":
            epoch = max(test)
        return PublishedValue(
            round(100 * test[epoch].value, 4),
            f"{test[epoch].source}, first {until} epochs of {source.row}",
            test[epoch].provenance,
        )
