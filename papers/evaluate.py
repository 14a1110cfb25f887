"""From the store to results: every cell of a table with its measurement and verdict, every claim with its finding."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from results.published import CURVES
from results.units import convert

from .claims import Finding
from .counted import Runs
from .drawing import Drawing
from .evidence import Evidence
from .measures import TEST, Measure
from .protocols import Curve, Curves
from .statistics import LEVEL, Interval, Readings, interval
from .table import Cell, Claim, Source, Table
from .usual import Mark, marks
from .verdict import Printed, Verdict, repeats, verdict

if TYPE_CHECKING:
    from results import Published, Store, StoredRun

RECALLED = ("from_memory", "pilot")  # provenances that decide no verdict


@dataclass(frozen=True)
class PublishedValue(Printed):
    """A published number in the unit that the measure shows, and where it stands; `provenance` as in the store.

    `unit` is its own where that cannot be turned into the measure's.
    """

    source: str = ""
    provenance: str = ""
    unit: str = ""

    @property
    def recalled(self) -> bool:
        """Whether nobody printed it as it stands here."""
        return self.provenance in RECALLED

    @property
    def soft(self) -> str:
        """Why it decides no verdict; empty if it may."""
        if self.unit:
            return f"the published value is in another unit, {self.unit}"
        return "the published value is " + self.provenance.replace("_", " ") if self.recalled else ""

    @property
    def firm(self) -> bool:
        """Whether it may decide a verdict."""
        return not self.soft


@dataclass(frozen=True)
class CellResult:
    """A cell with what is known of it. Values are in the unit that its measure shows.

    `measured` is the mean over `values` (one a seed, with `runs` in the same order; of a logarithmic measure the
    geometric mean), None when nothing was measured; [`low`, `high`] is its 95 % interval, None where the runs are
    too few for one. `expected` is the interval in which the verdict looked for a published value, None where it did
    not. `reason` says why the verdict is what it is, or why there is no measurement. `attempts` are the latest
    runs, one a seed, whatever their outcome. `stale` says why the value is no longer current, empty if it is.
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
    expected: Interval | None = None


@dataclass(frozen=True)
class TableResult:
    """A table at one scale: results by row and column, the claims with their findings, and the seeds found."""

    table: Table
    scale: str
    seeds: tuple[int, ...]
    cells: tuple[CellResult, ...]
    claims: tuple[tuple[Claim, Finding], ...]
    drawings: tuple[Drawing, ...] = ()

    @property
    def rows(self) -> list[str]:
        return list(dict.fromkeys(result.cell.row for result in self.cells))

    @property
    def columns(self) -> list[str]:
        """The columns as they are shown: with what stands in for their data, and the protocol."""
        return list(dict.fromkeys(result.cell.heading for result in self.cells))

    @property
    def unit(self) -> str:
        """The unit of the cells; several, where they differ; empty where plain numbers are among them."""
        units = list(dict.fromkeys(result.cell.measure.show for result in self.cells))
        return ", ".join(units) if all(units) else ""

    @property
    def outside(self) -> tuple[int, int, float]:
        """How many published values lie outside the interval they were expected in, of how many that had one, and how
        many would by chance if all results were the same."""
        compared = [result for result in self.cells if result.expected is not None]
        out = sum(result.verdict in ("higher", "lower") for result in compared)
        return out, len(compared), (1 - LEVEL) * len(compared)

    def of(self, wanted: Callable[[Cell], bool]) -> TableResult:
        """The same with the wanted cells alone; its claims are decided on all cells."""
        return replace(self, cells=tuple(result for result in self.cells if wanted(result.cell)))

    def at(self, row: str, column: str) -> CellResult | None:
        """The cell in `row` and `column`, or None where the table has none."""
        return next((r for r in self.cells if (r.cell.row, r.cell.heading) == (row, column)), None)


def evaluate(store: Store, table: Table, scale: str, seeds: Iterable[int] | None = None) -> TableResult:
    """`table` at `scale` from what `store` holds; only the given `seeds`, or all that are there."""
    cells = table.cells(scale)
    runs = Runs(store, cells, seeds)
    published = _PublishedLookup(store, table.paper, cells)
    marked = marks(store, cells, seeds)
    measured = [_measured(cell, runs, published, marked.get(place)) for place, cell in enumerate(cells)]
    results = tuple(_cell_result(this, runs, measured) for this in measured)
    evidence = _evidence(scale, cells, runs, results)
    return TableResult(
        table,
        scale,
        tuple(runs.seeds),
        results,
        tuple((claim, claim.decide(evidence)) for claim in table.claims),
        tuple(table.drawings(evidence)) if table.drawings else (),
    )


@dataclass(frozen=True)
class _Measured:
    """What was measured for a cell and published about it; `values` in the unit that the measure shows."""

    cell: Cell
    runs: list[StoredRun]
    values: list[float]
    published: tuple[PublishedValue, ...]
    not_comparable: str
    diverged: int  # trainings that should have given a value
    remarks: tuple[str, ...]  # what has to be known of the runs, and which do not count

    @property
    def kind(self) -> tuple[object, ...]:
        """Cells of one kind vary alike between runs: the same column, measure and protocol."""
        return self.cell.column, self.cell.measure, self.cell.protocol.name

    @property
    def firm(self) -> list[PublishedValue]:
        return [value for value in self.published if value.firm]

    @property
    def groups(self) -> list[list[float]]:
        """Runs of one setting: ours and the authors'."""
        return [] if self.not_comparable else [self.values, repeats(self.firm)]


def _measured(cell: Cell, runs: Runs, lookup: _PublishedLookup, mark: Mark | None) -> _Measured:
    seeds = runs.seeds_of(cell)
    found = [
        (run, value)
        for run in runs.of(cell)
        if run.seed in seeds.deciding and (value := runs.value(run, cell)) is not None
    ]
    published = tuple(printed for source in cell.sources if (printed := lookup.value(source, cell)) is not None)
    soft = "" if any(value.firm for value in published) or not published else published[0].soft
    of_cell = [run for run, _ in found]
    unlike = cell.not_comparable
    if mark is not None:
        unlike = "" if mark.same else f"{unlike}; {mark.text}"
    why = unlike or seeds.unfit or soft
    values = [cell.measure.shown(value) for _, value in found]
    diverged = sum(run.seed in seeds.deciding for run in runs.diverged(cell))
    left_out = [
        f"{count} run{'s' * (count > 1)} {why} left out"
        for count, why in ((seeds.beyond, "beyond the plan"), (runs.left_out(cell), "of other code or data"))
        if count
    ]
    told = [mark.text] if mark is not None and mark.same else []
    return _Measured(cell, of_cell, values, published, why, diverged, (*told, *left_out))


def _others(this: _Measured, every: Iterable[_Measured]) -> list[list[float]]:
    """The runs of other cells whose spread may stand in for this one's, a group a setting, each once."""
    groups: dict[str, list[list[float]]] = {}
    for other in every:
        if other.kind == this.kind and other.cell.experiment.key != this.cell.experiment.key:
            groups[other.cell.experiment.key] = [group for group in other.groups if len(group) > 1]
    return [group for found in groups.values() for group in found]


def mean_of(measure: Measure, values: Sequence[float]) -> float:
    """The mean of shown values on the scale of the measure; the plain one where a value has no place on it."""
    scaled = [measure.scaled(value) for value in values]
    return measure.unscaled(statistics.fmean(scaled)) if all(map(math.isfinite, scaled)) else statistics.fmean(values)


def interval_of(measure: Measure, values: Sequence[float], n: int | None, readings: Readings) -> Interval | None:
    """The 95 % interval of that mean; that of a share ends at 0 and 1."""
    if measure.logarithmic and measure.interval == "student":
        scaled = [measure.scaled(value) for value in values]
        within = interval("student", scaled) if all(map(math.isfinite, scaled)) else None
        return None if within is None else (measure.unscaled(within[0]), measure.unscaled(within[1]))
    within = interval(measure.interval, [measure.stored(value) for value in values], n, readings)
    if within is not None and measure.unit == "fraction":
        within = max(0.0, within[0]), min(1.0, within[1])
    return None if within is None else (measure.shown(within[0]), measure.shown(within[1]))


def _cell_result(this: _Measured, runs: Runs, every: Iterable[_Measured]) -> CellResult:
    cell, values, attempts = this.cell, this.values, runs.attempts(this.cell)
    n = runs.test_samples(this.runs)
    bounds = interval_of(cell.measure, values, n, runs.readings(this.runs, cell)) if values else None
    around = runs.around(this.runs, cell) or bounds
    found = verdict(
        cell.measure,
        values,
        this.firm or this.published,
        not_comparable=this.not_comparable,
        test_samples=n,
        others=_others(this, every),
        other_test_set=cell.other_test_set,
    )
    if this.diverged and found.word in ("reproduced", "higher", "lower"):
        found = Verdict("undecided", f"{this.diverged} of {this.diverged + len(values)} runs diverged")
    reason = "; ".join([*([found.reason] if found.reason else []), *this.remarks])
    if not values and attempts:
        ended = attempts[-1]
        lacking = f"the run has no {cell.measure.title}, {cell.protocol.says}"
        reason = lacking if ended.outcome == "ok" else f"{ended.outcome}: {ended.reason}"
    return CellResult(
        cell=cell,
        published=this.published,
        values=tuple(values),
        measured=mean_of(cell.measure, values) if values else None,
        low=around[0] if around else None,
        high=around[1] if around else None,
        test_samples=n,
        verdict=found.word,
        reason=reason,
        runs=tuple(this.runs),
        attempts=tuple(attempts),
        stale=next((why for run in this.runs if (why := runs.stale(cell.experiment.key, run))), ""),
        expected=found.expected,
    )


def _evidence(scale: str, cells: Sequence[Cell], runs: Runs, results: Sequence[CellResult]) -> Evidence:
    curves: dict[tuple[str, str, int, str], Curve] = {}
    finals: dict[tuple[str, str, int, str], float] = {}
    test_samples: dict[str, int] = {}
    for cell in cells:
        for run in runs.of(cell):
            place = (cell.row, cell.column, run.seed)
            finals |= {(*place, name): math.nan for name in runs.unbounded[run.id]}
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
        unfit={(cell.row, cell.column): why for cell in cells if (why := runs.incomplete(runs.of(cell)))},
        diverged=frozenset((cell.row, cell.column, run.seed) for cell in cells for run in runs.diverged(cell)),
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
    """The published values that the cells of a table name, by table, row and column."""

    def __init__(self, store: Store, paper: str, cells: Sequence[Cell]) -> None:
        self.values: dict[tuple[str, str, str], Published] = {}
        self.curves: dict[str, dict[str, dict[int, Published]]] = defaultdict(lambda: defaultdict(dict))
        named = {CURVES if s.until is not None else s.table for cell in cells for s in cell.sources}
        for value in store.published(paper, sorted(named)):
            if value.step is None:
                self.values[value.table, value.row, value.column] = value
            else:
                self.curves[value.row][value.column][value.step] = value

    def value(self, source: Source, cell: Cell) -> PublishedValue | None:
        if source.until is not None:
            return self._from_curve(source, source.until, cell)
        found = self.values.get((source.table, source.row, source.column))
        if found is None:
            return None
        tolerance = 0.0 if found.decimals is None else 0.5 * 10.0**-found.decimals
        return _printed(found.value, tolerance, found.unit, source, cell, found.source, found.provenance)

    def _from_curve(self, source: Source, until: int, cell: Cell) -> PublishedValue | None:
        """What the protocol of the cell finds in the first `until` epochs of the authors' run."""
        curves: Curves = {
            name: {step: point.value for step, point in points.items() if step < until}
            for name, points in self.curves[source.row].items()
        }
        found = cell.protocol.select(curves, cell.measure)
        if found is None:
            return None
        point = self.curves[source.row][cell.measure.curve(TEST)][found.step]
        place = f"{point.source}, first {until} epochs of {source.row}"
        return _printed(found.value, 0.0, point.unit, source, cell, place, point.provenance)


def _printed(
    value: float, tolerance: float, unit: str, source: Source, cell: Cell, place: str, provenance: str
) -> PublishedValue:
    """A published value in the unit that the measure of the cell shows, or in its own where that cannot be."""
    into = cell.measure.show
    turned, allowed = convert(value, unit, into), convert(tolerance, unit, into)
    if turned is None or allowed is None:
        return PublishedValue(value, tolerance, place, provenance, unit, runs=source.runs, repeat=source.repeat)
    # Binary noise of the conversion must not show; no published number has that many digits.
    turned = float(f"{turned:.12g}")
    allowed = max(allowed, source.within)
    return PublishedValue(turned, allowed, place, provenance, runs=source.runs, repeat=source.repeat)
