"""How the rows of a table stand against each other over all of its columns (Table.ranked).

Only rows that have a value in every column are ranked; one that misses a column, or of whose trainings one diverged
there, is incomplete and never averaged. A score is the share of the way from who guesses to who makes no mistake, so
that columns of different measures can stand together. The statistics are those of papers.ranking.
"""

from __future__ import annotations

import itertools
import string
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from . import operations
from .costs import costs as tables_of_energies
from .evaluate import interval_of, mean_of
from .hypotheses import ALPHA, MIN_SEEDS, holm
from .measures import (
    COUNTED,
    INFERENCE,
    LATENCY,
    OVER_COPIES,
    OVER_PRODUCTS,
    PEAK_MEMORY,
    SPIKES_PER_SAMPLE,
    TEST,
    THROUGHPUT,
    TRAIN_SECONDS,
    Measure,
)
from .own_rows import recipe
from .ranking import Estimate, estimated, front, groups, improvement, interquartile_mean, no_difference, profile, ranks
from .statistics import Interval

if TYPE_CHECKING:
    from results import Metric

    from .evaluate import CellResult, TableResult
    from .table import Span

COSTS = (
    TRAIN_SECONDS, THROUGHPUT, INFERENCE, LATENCY, PEAK_MEMORY, SPIKES_PER_SAMPLE, *COUNTED, OVER_PRODUCTS,
    OVER_COPIES,
)  # fmt: skip
TABLE = tables_of_energies()[0]  # by which energies are reckoned
LEVELS = tuple(number / 20 for number in range(21))  # scores at which a profile is told
SAYS = (
    "Ranked are rows with a value in every task; a row that misses one, or of whose trainings one diverged, is "
    "incomplete and not averaged. Rank: that of a row's mean in each task, averaged over the tasks, with the 95 % "
    "interval of a bootstrap stratified by task and row. Score: 0 for who guesses, 1 for who makes no mistake; over "
    "all tasks their interquartile mean. Rows share a letter where no test tells them apart: Wilcoxon's rank test "
    "stratified by task, exact, with Holm's rule over all pairs of rows at 5 %."
)
SECONDS_RULE = (
    "The budget of training time: every row is trained for the same epochs, on the same batches, and its measured "
    "seconds are shown. Beside that, each is ranked at equal seconds: in each task all are read at the last epoch that "
    "they had finished when the fastest row was through, by the training time measured here. The learning rate is "
    "constant, so that a training cut short is no other training."
)


@dataclass(frozen=True)
class Place:
    """A row in a column. `shares` are scores, one a seed; `early` those at the common number of seconds, empty where a
    run had no epoch finished by then. `costs` by the name of their measure, as shown. `missing` says why the place does
    not count; empty where it does."""

    result: CellResult
    shares: tuple[float, ...]
    early: tuple[float, ...]
    costs: Mapping[str, tuple[float, Interval | None]]
    missing: str


@dataclass(frozen=True)
class Standing:
    """A row among the others; `rank` and what follows from it None where it is incomplete, `at_seconds` also where the
    time was too short for an epoch. `letters` are those of its groups."""

    row: str
    places: Mapping[str, Place]
    rank: Estimate | None = None
    at_seconds: Estimate | None = None
    score: Estimate | None = None
    letters: str = ""

    @property
    def missing(self) -> dict[str, str]:
        """Why it is incomplete, by column."""
        return {column: place.missing for column, place in self.places.items() if place.missing}


@dataclass(frozen=True)
class League:
    """Rows that differ in one thing, the best first, the incomplete ones last; `title` says in what they differ."""

    title: str
    columns: tuple[str, ...]
    standings: tuple[Standing, ...]
    groups: tuple[tuple[str, ...], ...]
    tested: bool

    @property
    def ranked(self) -> list[Standing]:
        return [standing for standing in self.standings if standing.rank is not None]

    @property
    def costs(self) -> list[Measure]:
        """The costs that were measured anywhere."""
        known = {name for s in self.standings for place in s.places.values() for name in place.costs}
        return [measure for measure in COSTS if measure.name in known]

    @cached_property
    def better(self) -> dict[tuple[str, str], Estimate]:
        """The probability that a row is better than another, by both rows."""
        scores = {standing.row: _scores(standing, self.columns) for standing in self.ranked}
        one_way = {
            (one, other): improvement(scores[one], scores[other]) for one, other in itertools.combinations(scores, 2)
        }
        both_ways = itertools.permutations(scores, 2)
        return {pair: one_way[pair] if pair in one_way else _mirrored(one_way[pair[::-1]]) for pair in both_ways}

    def apart(self, one: str, other: str) -> bool:
        """Whether a test tells two rows apart."""
        return self.tested and not any({one, other} <= set(group) for group in self.groups)

    def profiles(self) -> dict[str, list[Estimate]]:
        """The share of runs with a score above each of LEVELS, by row."""
        return {standing.row: profile(_scores(standing, self.columns), LEVELS) for standing in self.ranked}

    def points(self, measure: Measure, column: str) -> dict[str, tuple[float, float]]:
        """Mean score and cost, as shown, of the rows in a column, where both are known."""
        found = {}
        for standing in self.standings:
            place = standing.places.get(column)
            if place is not None and not place.missing and measure.name in place.costs:
                found[standing.row] = (sum(place.shares) / len(place.shares), place.costs[measure.name][0])
        return found

    def front(self, measure: Measure, column: str) -> list[str]:
        """The rows that no other beats in score and this cost, the best cost first."""
        return front_of(self.points(measure, column), measure)


def _mirrored(found: Estimate) -> Estimate:
    """The probability of the opposite."""
    return Estimate(1 - found.value, 1 - found.high, 1 - found.low)


def front_of(points: Mapping[str, tuple[float, float]], measure: Measure) -> list[str]:
    """`ranking.front` where the second of the points is a cost in the sense of `measure`."""
    return front({row: (score, -measure.sign * cost) for row, (score, cost) in points.items()})


def board(result: TableResult, metrics: Mapping[str, Sequence[Metric]]) -> tuple[League, ...]:
    """The leagues of a ranked table: rows that differ in the neuron, and of each neuron that was trained in several
    ways the rows that differ in the training. `metrics` are those of the runs that count, by id. Rows of which nothing
    was tried are left out, and so are columns in which nothing was measured."""
    rows: dict[str, list[CellResult]] = defaultdict(list)
    for cell in result.cells:
        if cell.cell.column in result.table.ranked:
            rows[cell.cell.row].append(cell)
    tried = {row: cells for row, cells in rows.items() if any(cell.attempts for cell in cells)}
    return tuple(
        league
        for title, members in _leagues(rows)
        if (kept := {row: tried[row] for row in members if row in tried})
        and (league := _league(title, kept, result.table.ranked, metrics)) is not None
    )


def _leagues(rows: Mapping[str, Sequence[CellResult]]) -> Iterator[tuple[str, list[str]]]:
    recipes = {row: tuple(recipe(cell.cell.experiment) for cell in cells) for row, cells in rows.items()}
    usual = Counter(recipes.values()).most_common(1)
    yield "Neurons", [row for row in rows if recipes[row] == usual[0][0]]
    by_neuron: dict[str, list[str]] = defaultdict(list)
    for row, cells in rows.items():
        by_neuron[repr([(c.cell.experiment.neuron, c.cell.experiment.neuron_options) for c in cells])].append(row)
    for members in by_neuron.values():
        if len({recipes[row] for row in members}) > 1:
            yield f"Schemes that train {rows[members[0]][0].cell.experiment.neuron}", members


def _league(
    title: str,
    rows: Mapping[str, Sequence[CellResult]],
    spans: Mapping[str, Span],
    metrics: Mapping[str, Sequence[Metric]],
) -> League | None:
    columns = tuple(dict.fromkeys(c.cell.column for cells in rows.values() for c in cells if c.measured is not None))
    if not columns:
        return None
    cells = {row: {c.cell.column: c for c in found if c.cell.column in columns} for row, found in rows.items()}
    budgets = {column: _fastest(column, cells.values(), metrics) for column in columns}
    standings = [
        Standing(row, {name: _place(cell, spans[name], budgets[name], metrics) for name, cell in found.items()})
        for row, found in cells.items()
    ]
    complete = [s for s in standings if len(s.places) == len(columns) and not s.missing]
    scores = {s.row: _scores(s, columns) for s in complete}
    early = {s.row: [s.places[c].early for c in columns] for s in complete if all(s.places[c].early for c in columns)}
    rank, at_seconds = (ranks(found) if found else {} for found in (scores, early))
    order = sorted(complete, key=lambda s: rank[s.row].value)
    names = [standing.row for standing in order]
    tested = len(names) > 1 and all(len(runs) >= MIN_SEEDS for tasks in scores.values() for runs in tasks)
    together = groups(names, _apart(scores)) if tested else []
    ranked = [
        Standing(
            s.row,
            s.places,
            rank[s.row],
            at_seconds.get(s.row),
            estimated(scores[s.row], interquartile_mean),
            " ".join(letter(number) for number, group in enumerate(together) if s.row in group),
        )
        for s in order
    ]
    rest = [standing for standing in standings if standing.row not in rank]
    return League(title, columns, (*ranked, *rest), tuple(together), tested)


def letter(number: int) -> str:
    """a, b ... z, aa, ab ..."""
    prefix = letter(number // 26 - 1) if number >= 26 else ""
    return prefix + string.ascii_lowercase[number % 26]


def _scores(standing: Standing, columns: Iterable[str]) -> list[tuple[float, ...]]:
    return [standing.places[column].shares for column in columns]


def _apart(scores: Mapping[str, Sequence[Sequence[float]]]) -> Collection[frozenset[str]]:
    """The pairs that the test tells apart, by Holm's rule over all of them."""
    pairs = list(itertools.combinations(scores, 2))
    found = holm([no_difference(scores[one], scores[other]) for one, other in pairs])
    return {frozenset(pair) for pair, p in zip(pairs, found, strict=True) if p <= 2 * ALPHA}


def _place(cell: CellResult, span: Span, budget: float | None, metrics: Mapping[str, Sequence[Metric]]) -> Place:
    measure = cell.cell.measure
    diverged = sum(run.outcome == "diverged" for run in cell.attempts)
    missing = (cell.reason or "not run") if not cell.values else f"{diverged} of its runs diverged" if diverged else ""
    early = [_by(budget, measure.curve(TEST), metrics.get(run.id, ())) for run in cell.runs]
    return Place(
        cell,
        tuple(span.share(measure.stored(value)) for value in cell.values),
        tuple(span.share(value) for value in early if value is not None) if None not in early else (),
        _costs(cell, metrics),
        missing,
    )


def _costs(cell: CellResult, metrics: Mapping[str, Sequence[Metric]]) -> dict[str, tuple[float, Interval | None]]:
    """Each cost that all of the cell's runs have: its mean and interval over the seeds, as shown."""
    of_runs = []
    for run in cell.runs:
        found = {m.name: m.value for m in metrics.get(run.id, ()) if m.step is None}
        seconds = _seconds(metrics.get(run.id, ()))
        own = {PEAK_MEMORY.name: run.peak_memory, TRAIN_SECONDS.name: sum(seconds) or None}
        of_runs.append({**found, **own, **_operations(found)})
    costs = {}
    for measure in COSTS:
        values = [measure.shown(value) for found in of_runs if (value := found.get(measure.name)) is not None]
        if values and len(values) == len(of_runs):
            costs[measure.name] = mean_of(measure, values), interval_of(measure, values, None, ())
    return costs


def _operations(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Effective operations, and their energy by TABLE; nothing where they were not counted."""
    counted = operations.read(values)
    if counted is None:
        return {}
    numbers = counted.ac, counted.mac, counted.energy(TABLE)
    return {measure.name: number for measure, number in zip(COUNTED, numbers, strict=True)}


def _seconds(metrics: Sequence[Metric]) -> list[float]:
    """Seconds of training by epoch."""
    found = {m.step: m.value for m in metrics if m.name == TRAIN_SECONDS.name and m.step is not None}
    return [value for _, value in sorted(found.items()) if value is not None]


def _fastest(
    column: str, rows: Iterable[Mapping[str, CellResult]], metrics: Mapping[str, Sequence[Metric]]
) -> float | None:
    """The seconds in which all runs of the fastest row were through with a column."""
    totals = [
        [sum(_seconds(metrics.get(run.id, ()))) for run in cells[column].runs] for cells in rows if column in cells
    ]
    return min((max(of_row) for of_row in totals if of_row and all(of_row)), default=None)


def _by(budget: float | None, curve: str, metrics: Sequence[Metric]) -> float | None:
    """What a run had come to after that many seconds of training."""
    if budget is None:
        return None
    values = {metric.step: metric.value for metric in metrics if metric.name == curve}
    over = list(itertools.accumulate(_seconds(metrics)))
    return values.get(sum(seconds <= budget for seconds in over) - 1)
