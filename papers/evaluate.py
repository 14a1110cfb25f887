"""From the store to results: every cell of a table with its measurement and verdict, every claim with its finding."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from .claims import Finding
from .currency import stale
from .evidence import Evidence
from .experiment import Experiment
from .measures import shown
from .protocols import Curve, Curves
from .seeds import deciding
from .statistics import interval
from .table import Cell, Claim, Source, Table
from .verdict import Printed, verdict

if TYPE_CHECKING:
    from results import Dataset, Published, Standing, Store, StoredRun

RECALLED = ("from_memory", "pilot")  # provenances that decide no verdict


@dataclass(frozen=True)
class PublishedValue(Printed):
    """A published number in the unit that the measure shows, and where it stands; `provenance` as in the store."""

    source: str = ""
    provenance: str = ""

    @property
    def firm(self) -> bool:
        """Whether it may decide a verdict."""
        return self.provenance not in RECALLED


@dataclass(frozen=True)
class CellResult:
    """A cell with what is known of it. Values are in the unit that its measure shows.

    `measured` is the mean over `values` (one a seed, with `runs` in the same order), None when nothing was measured;
    [`low`, `high`] is its 95 % interval, None where the runs are too few for one. `reason` says why the verdict is what
    it is, or why there is no measurement. `attempts` are the latest runs, one a seed, whatever their outcome. `stale`
    says why the value is no longer current, empty if it is.
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
    stale: str


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
        """The columns as they are shown: with what stands in for their data, and the protocol."""
        return list(dict.fromkeys(result.cell.heading for result in self.cells))

    @property
    def unit(self) -> str:
        """The unit of the cells; several, where they differ."""
        return ", ".join(dict.fromkeys(result.cell.measure.show for result in self.cells))

    def of(self, wanted: Callable[[Cell], bool]) -> TableResult:
        """The same with the wanted cells alone; its claims are decided on all cells."""
        return replace(self, cells=tuple(result for result in self.cells if wanted(result.cell)))

    def at(self, row: str, column: str) -> CellResult | None:
        """The cell in `row` and `column`, or None where the table has none."""
        return next((r for r in self.cells if (r.cell.row, r.cell.heading) == (row, column)), None)


class _Runs:
    """The latest runs of a table's experiments, whatever their seed, with what they measured."""

    def __init__(self, store: Store, cells: Sequence[Cell], seeds: Iterable[int] | None) -> None:
        wanted = {cell.experiment.key for cell in cells}  # all with seed 0
        chosen = None if seeds is None else set(seeds)
        found = [
            (template, run)
            for run in store.runs()  # oldest first
            if (template := _template(run)) in wanted and (chosen is None or run.seed in chosen)
        ]
        ids = [run.id for _, run in found if run.outcome == "ok"]
        self.datasets: dict[str, tuple[Dataset, ...]] = {run_id: store.datasets(run_id) for run_id in ids}
        self.standing: dict[str, Standing] = store.standing()
        self.parities = cache(store.parity)
        self.plans = store.planned(wanted)
        self.ok: dict[tuple[str, int], StoredRun] = {}
        self.latest: dict[tuple[str, int], StoredRun] = {}
        for template, run in found:
            assert template is not None
            place = template, run.seed
            if run.outcome != "skipped" or place not in self.latest:  # another process was at it
                self.latest[place] = run
            old = self.ok.get(place)
            if run.outcome == "ok" and (old is None or self.stale(template, old) or not self.stale(template, run)):
                self.ok[place] = run
        self.curves: dict[str, Curves] = {}
        self.finals: dict[str, Mapping[str, float]] = {}
        for run_id, metrics in store.metrics([run.id for run in self.ok.values()]).items():
            curves: dict[str, dict[int, float]] = defaultdict(dict)
            finals: dict[str, float] = {}
            for metric in metrics:
                if metric.value is not None and metric.step is None:
                    finals[metric.name] = metric.value
                elif metric.value is not None and metric.step is not None:
                    curves[metric.name][metric.step] = metric.value
            self.curves[run_id], self.finals[run_id] = curves, finals
        self.seeds = sorted({seed for _, seed in self.latest})

    def of(self, cell: Cell) -> list[StoredRun]:
        return [run for (key, _), run in sorted(self.ok.items()) if key == cell.experiment.key]

    def attempts(self, cell: Cell) -> list[StoredRun]:
        return [run for (key, _), run in sorted(self.latest.items()) if key == cell.experiment.key]

    def planned(self, cell: Cell) -> tuple[int, ...] | None:
        """The seeds that were planned with the code that computed the newest run of the cell; None without a plan."""
        found = self.of(cell)
        newest = max(found, key=lambda run: run.started, default=None)
        return deciding(self.plans, cell.experiment.key, newest.implementation) if newest else None

    def value(self, run: StoredRun, cell: Cell) -> float | None:
        """What the run measured for the cell, as stored."""
        if not cell.measure.over:
            return self.finals[run.id].get(cell.measure.name)
        found = cell.protocol.select(self.curves[run.id], cell.measure)
        return None if found is None else found.value

    def around(self, runs: Sequence[StoredRun], cell: Cell) -> tuple[float, float] | None:
        """The interval that a single run has found itself, as stored: the finals NAME_low and NAME_high."""
        if len(runs) != 1 or cell.measure.over:
            return None
        low, high = (self.finals[runs[0].id].get(f"{cell.measure.name}_{end}") for end in ("low", "high"))
        return None if low is None or high is None else (low, high)

    def stale(self, template: str, run: StoredRun) -> str:
        """Why a run is not current, by what the last command found that knows the sources."""
        now = self.standing.get(template)
        return stale(run, self.datasets.get(run.id, ()), now, self.parities) if now else ""

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


def evaluate(store: Store, table: Table, scale: str, seeds: Iterable[int] | None = None) -> TableResult:
    """`table` at `scale` from what `store` holds; only the given `seeds`, or all that are there."""
    cells = table.cells(scale)
    runs = _Runs(store, cells, seeds)
    published = _PublishedLookup(store, table.paper)
    results = tuple(_cell_result(cell, runs, published) for cell in cells)
    evidence = _evidence(scale, cells, runs, results)
    return TableResult(
        table, scale, tuple(runs.seeds), results, tuple((claim, claim.decide(evidence)) for claim in table.claims)
    )


def _cell_result(cell: Cell, runs: _Runs, lookup: _PublishedLookup) -> CellResult:
    measured = [(run, value) for run in runs.of(cell) if (value := runs.value(run, cell)) is not None]
    measured_runs, values = [run for run, _ in measured], [value for _, value in measured]
    attempts = runs.attempts(cell)
    published = tuple(found for source in cell.sources if (found := lookup.value(source, cell)) is not None)
    n = runs.test_samples(measured_runs)
    within = interval(cell.measure.interval, values, n) if values else None
    bounds = (cell.measure.shown(within[0]), cell.measure.shown(within[1])) if within else None
    around = runs.around(measured_runs, cell)
    shown_bounds = (cell.measure.shown(around[0]), cell.measure.shown(around[1])) if around else bounds
    mean = cell.measure.shown(statistics.fmean(values)) if values else None
    firm = [value for value in published if value.firm]
    soft = "" if firm or not published else "the published value is " + published[0].provenance.replace("_", " ")
    not_comparable = cell.not_comparable or runs.incomplete(measured_runs) or soft
    word, reason = verdict(firm or published, mean, bounds, not_comparable)
    if mean is None and attempts:
        ended = attempts[-1]
        lacking = f"the run has no {cell.measure.title}, {cell.protocol.says}"
        reason = lacking if ended.outcome == "ok" else f"{ended.outcome}: {ended.reason}"
    return CellResult(
        cell=cell,
        published=published,
        values=tuple(cell.measure.shown(value) for value in values),
        measured=mean,
        low=shown_bounds[0] if shown_bounds else None,
        high=shown_bounds[1] if shown_bounds else None,
        test_samples=n,
        verdict=word,
        reason=reason,
        runs=tuple(measured_runs),
        attempts=tuple(attempts),
        stale=next((why for run in measured_runs if (why := runs.stale(cell.experiment.key, run))), ""),
    )


def _evidence(scale: str, cells: Sequence[Cell], runs: _Runs, results: Sequence[CellResult]) -> Evidence:
    curves: dict[tuple[str, str, int, str], Curve] = {}
    finals: dict[tuple[str, str, int, str], float] = {}
    test_samples: dict[str, int] = {}
    for cell in cells:
        for run in runs.of(cell):
            place = (cell.row, cell.column, run.seed)
            finals |= {(*place, name): value for name, value in runs.finals[run.id].items()}
            curves |= {(*place, name): points for name, points in runs.curves[run.id].items()}
            test_samples[cell.column] = runs.test_samples([run]) or 0
    published: dict[tuple[str, str], list[float]] = {}
    for result in results:
        place_of = (result.cell.row, result.cell.column)
        if place_of not in published:  # the first protocol is the reported one
            comparable = result.verdict != "not comparable"
            published[place_of] = [value.value for value in result.published if value.firm and comparable]
    same = _same(cells)
    return Evidence(
        scale=scale,
        columns=tuple(column for column in dict.fromkeys(cell.column for cell in cells) if same[column] == column),
        seeds=tuple(runs.seeds),
        curves=curves,
        finals=finals,
        test_samples=test_samples,
        published=published,
        headings=_what_ran(cells, same) if scale == "quick" else {},
        at={cell.row: cell.at for cell in cells if cell.at is not None},
        same=same,
        experiments={(cell.row, cell.column): cell.experiment.key for cell in cells},
        planned={(cell.row, cell.column): seeds for cell in cells if (seeds := runs.planned(cell)) is not None},
        diverged=frozenset(
            (cell.row, cell.column, run.seed)
            for cell in cells
            for run in runs.attempts(cell)
            if run.outcome == "diverged" and (cell.experiment.key, run.seed) not in runs.ok
        ),
    )


def _same(cells: Sequence[Cell]) -> dict[str, str]:
    """Each column by the first one behind which stand the same experiments, row by row: it is measured once."""
    behind: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for cell in cells:
        behind[cell.column].add((cell.row, cell.experiment.key))
    first: dict[frozenset[tuple[str, str]], str] = {}
    return {column: first.setdefault(frozenset(measured), column) for column, measured in behind.items()}


def _what_ran(cells: Sequence[Cell], same: Mapping[str, str]) -> dict[str, str]:
    """Columns by the data and network behind them: on stand-ins the work's data set would be the wrong name.

    Where the rows differ in the network it is left out. Columns that these do not tell apart have their own name in
    front.
    """
    data: dict[str, dict[str, None]] = defaultdict(dict)
    networks: dict[str, dict[str, None]] = defaultdict(dict)
    for cell in cells:
        data[cell.column][cell.stand_in or cell.column] = None
        networks[cell.column][cell.experiment.model] = None
    found = {
        column: " in ".join([", ".join(names), *(networks[column] if len(networks[column]) == 1 else ())])
        for column, names in data.items()
    }
    distinct = [found[column] for column in found if same[column] == column]
    return {column: f"{column}, {name}" if distinct.count(name) > 1 else name for column, name in found.items()}


class _PublishedLookup:
    """Published values of one paper by table, row and column."""

    def __init__(self, store: Store, paper: str) -> None:
        self.values: dict[tuple[str, str, str], Published] = {}
        self.curves: dict[str, dict[str, dict[int, Published]]] = defaultdict(lambda: defaultdict(dict))
        for value in store.published(paper):
            if value.step is None:
                self.values[value.table, value.row, value.column] = value
            else:
                self.curves[value.row][value.column][value.step] = value

    def value(self, source: Source, cell: Cell) -> PublishedValue | None:
        if source.until is not None:
            return self._from_curve(source.row, source.until, cell)
        found = self.values.get((source.table, source.row, source.column))
        if found is None:
            return None
        value, _ = shown(found.value, found.unit)
        tolerance = 0.0 if found.decimals is None else shown(0.5 * 10.0**-found.decimals, found.unit)[0]
        return PublishedValue(value, max(tolerance, source.within), found.source, found.provenance)

    def _from_curve(self, run: str, until: int, cell: Cell) -> PublishedValue | None:
        """What the protocol of the cell finds in the first `until` epochs of the authors' run."""
        curves: Curves = {
            name: {step: point.value for step, point in points.items() if step < until}
            for name, points in self.curves[run].items()
        }
        found = cell.protocol.select(curves, cell.measure)
        if found is None:
            return None
        point = next(point for points in self.curves[run].values() for point in points.values())
        source = f"{point.source}, first {until} epochs of {run}"
        return PublishedValue(round(cell.measure.shown(found.value), 4), 0.0, source, point.provenance)
