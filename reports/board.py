"""The pages of ranked tables: how their rows stand against each other, and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from papers.board import LEVELS, SAYS, SECONDS_RULE, TABLE, board, front_of, letter
from papers.hypotheses import MIN_SEEDS
from papers.measures import ENERGY, INFERENCE, LATENCY, PEAK_MEMORY, SPIKES_PER_SAMPLE, TRAIN_SECONDS, shown

from . import figures, wording
from .figures import Line
from .scatter import scatter
from .tables import inert

if TYPE_CHECKING:
    from papers.board import League, Place, Standing
    from papers.evaluate import CellResult, TableResult
    from papers.measures import Measure
    from papers.ranking import Estimate
    from results import Metric

Render = Callable[..., str]
FEW = f"A test may tell rows apart where each has {MIN_SEEDS} runs in every task."
DRAWN = (TRAIN_SECONDS, INFERENCE, LATENCY, PEAK_MEMORY, SPIKES_PER_SAMPLE, ENERGY)  # of the others the front is told
TOGETHER = 6  # lines in one plot
SCALED = {"B": ("MiB", 2.0**-20), "J": ("nJ", 1e9), "count": ("", 1.0), "op": ("", 1.0)}  # the unit on the page
TITLES = {
    "train_seconds": "training",
    "train_throughput": "training",
    "inference_throughput": "inference",
    "peak_memory": "peak memory",
    "multiply_accumulates": "multiply-accumulates",
    "over_products": "× matrix products",
    "over_copies": "× copies",
}


@dataclass(frozen=True)
class Figure:
    """A plot and what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Section:
    """A league as its page shows it."""

    league: League
    fronts: tuple[Figure, ...]
    profiles: tuple[tuple[tuple[tuple[str, int], ...], Figure], ...]  # each with its legend


def name_of(result: TableResult) -> str:
    """The name of the page, without suffix."""
    return f"{result.table.name}-{result.scale}-board"


def links(results: Sequence[TableResult]) -> dict[str, str]:
    """The pages to link from every page."""
    ranked = [result for result in results if result.table.ranked and any(cell.runs for cell in result.cells)]
    return {f"{result.table.name.capitalize()}: {result.scale}": name_of(result) for result in ranked}


def files(result: TableResult) -> tuple[str, ...]:
    """The names of what `pages` gives; none where nothing was measured."""
    name = name_of(result)
    measured = any(cell.measured is not None for cell in result.cells)
    return (f"{name}.html", f"{name}.csv", f"{name}-pairs.csv") if measured else ()


def pages(result: TableResult, metrics: Mapping[str, Sequence[Metric]], render: Render) -> Iterator[tuple[str, str]]:
    """A page and its two files of numbers: name and text."""
    leagues = board(result, metrics)
    if leagues:
        sections = [Section(league, tuple(_fronts(league)), tuple(_profiles(league))) for league in leagues]
        page, numbers, pairs = files(result)
        name = name_of(result)
        yield page, render("board.html", result=result, sections=sections, name=name, b=_words())
        yield numbers, to_csv(leagues)
        yield pairs, pairs_to_csv(leagues)


def _words() -> dict[str, Any]:
    return {
        "estimate": estimate, "value": value, "cost": cost, "raw": raw, "heading": heading, "incomplete": incomplete,
        "seeds": seeds, "share": share, "FEW": FEW, "letter": letter, "SAYS": SAYS, "SECONDS_RULE": SECONDS_RULE,
    }  # fmt: skip


def estimate(found: Estimate | None, places: int) -> str:
    """ "2.5 [1.8, 3.3]"; nothing for none."""
    if found is None:
        return ""
    return f"{wording.number(found.value, places)} {wording.interval(found.low, found.high, places)}"


def share(found: Estimate) -> str:
    """A probability in per cent."""
    return f"{shown(found.value, 'fraction')[0]:.0f}"


def value(cell: CellResult) -> str:
    """The mean of a cell with its unit: "93.1 %", "0.0123", with a star where it is not current; a dash for none."""
    if cell.measured is None:
        return wording.NONE
    digits = f"{cell.measured:.1f} %" if cell.cell.measure.share else wording.three(cell.measured)
    return digits + "*" * bool(cell.stale)


def heading(measure: Measure) -> str:
    """The name of a cost with its unit; of an energy also with the table that it is reckoned by."""
    unit = SCALED.get(measure.show, (measure.show, 1.0))[0]
    details = ", ".join(filter(None, (unit, TABLE.name if measure == ENERGY else "")))
    return " ".join(filter(None, (TITLES.get(measure.name, measure.title), details and f"({details})")))


def scaled(value: float, measure: Measure) -> float:
    """A cost in the unit of the page."""
    return value * SCALED.get(measure.show, ("", 1.0))[1]


def cost(place: Place | None, measure: Measure) -> tuple[str, str]:
    """The mean of a cost and its interval, in three digits; a dash for none."""
    if place is None or measure.name not in place.costs:
        return wording.NONE, ""
    mean, within = place.costs[measure.name]
    told, *ends = (wording.three(scaled(number, measure)) for number in (mean, *(within or ())))
    return told, f"[{', '.join(ends)}]" if ends else ""


def raw(place: Place | None, measure: Measure) -> str:
    """The mean of a cost for sorting; empty for none."""
    return "" if place is None or measure.name not in place.costs else _full(place.costs[measure.name][0])


def seeds(result: TableResult) -> str:
    return f"seed{'s' * (len(result.seeds) != 1)} {', '.join(map(str, result.seeds))}" if result.seeds else "no runs"


def incomplete(league: League) -> list[str]:
    """What is missing, a line for each row that is incomplete."""
    return [
        f"{standing.row} is incomplete: " + "; ".join(f"{column}: {why}" for column, why in lacking.items())
        for standing in league.standings
        if (lacking := _lacking(standing, league))
    ]


def _lacking(standing: Standing, league: League) -> dict[str, str]:
    unknown = {column: "not among its tasks" for column in league.columns if column not in standing.places}
    return {**standing.missing, **unknown}


def _fronts(league: League) -> Iterator[Figure]:
    """Score against the costs that are drawn, a plot for each task."""
    for measure in filter(DRAWN.__contains__, league.costs):
        for column in league.columns:
            points = league.points(measure, column)
            kept = front_of(points, measure)
            placed = {row: (scaled(cost, measure), score) for row, (score, cost) in points.items()}
            title = f"{column}: score against {heading(measure)}"
            svg = scatter(title, placed, kept, "score", heading(measure))
            if svg:
                yield Figure(svg, f"{title}. On the front: {', '.join(kept)}")


def _profiles(league: League) -> Iterator[tuple[tuple[tuple[str, int], ...], Figure]]:
    """The share of runs above a score, with the bounds of its interval, a few rows in a plot, in the order of ranks."""
    profiles = league.profiles()
    rows = list(profiles)
    for first in range(0, len(rows), TOGETHER):
        some = rows[first : first + TOGETHER]
        lines = []
        for style, row in enumerate(some):
            lines.append(Line(row, LEVELS, tuple(point.value for point in profiles[row]), style))
            for end in (1, 2):
                lines.append(Line(row, LEVELS, tuple(point[end] for point in profiles[row]), style, faint=True))
        title = f"Performance profile, ranks {first + 1} to {first + len(some)}"
        svg = figures.panel(title, lines, "share of runs above", x_label="score")
        yield tuple((row, style) for style, row in enumerate(some)), Figure(svg, title)


COLUMNS = (
    "league", "row", "rank", "rank_low", "rank_high", "groups", "rank_at_equal_seconds", "score", "task", "measure",
    "unit", "value", "low", "high", "seeds", "missing",
)  # fmt: skip


def to_csv(leagues: Sequence[League]) -> str:
    """A line for each row, task and measure, the task's own first; numbers in full, as shown."""
    from pandas import DataFrame

    lines = []
    for league in leagues:
        for standing in league.standings:
            ends = standing.rank or (None, None, None)
            second, score = (found and found.value for found in (standing.at_seconds, standing.score))
            fixed = (
                inert(league.title),
                inert(standing.row),
                *map(_full, ends),
                standing.letters,
                _full(second),
                _full(score),
            )
            for column, place in standing.places.items():
                cell, own = place.result, place.result.cell.measure
                count = len(cell.values)
                said = inert(place.missing)
                lines.append(
                    (
                        *fixed,
                        inert(column),
                        own.name,
                        own.show,
                        *map(_full, (cell.measured, cell.low, cell.high)),
                        count,
                        said,
                    )
                )
                for measure in league.costs:
                    if measure.name in place.costs:
                        mean, within = place.costs[measure.name]
                        numbers = map(_full, (mean, *(within or (None, None))))
                        lines.append((*fixed, inert(column), measure.name, measure.show, *numbers, count, said))
    return DataFrame(lines, columns=COLUMNS).to_csv(index=False, lineterminator="\n")


def pairs_to_csv(leagues: Sequence[League]) -> str:
    """A line for each ordered pair: the probability that the first is better, and whether a test tells them apart."""
    from pandas import DataFrame

    lines = [
        (inert(league.title), inert(one), inert(other), *map(_full, found), "yes" if league.apart(one, other) else "no")
        for league in leagues
        for (one, other), found in league.better.items()
    ]
    names = ("league", "row", "other", "probability", "low", "high", "told_apart")
    return DataFrame(lines, columns=names).to_csv(index=False, lineterminator="\n")


def _full(number: float | None) -> str:
    return "" if number is None else f"{number:.10g}"
