"""Tables of two rows that differ in one setting (Table.paired): what it changes, in terminal, pages and files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.plain import plain
from papers.measures import PEAK_MEMORY
from papers.pairs import COSTS, DIFFERS, SAYS

from . import grids, wording
from .grids import Grid
from .latex import comment, escape
from .tables import inert

if TYPE_CHECKING:
    from rich.console import Console

    from papers.evaluate import CellResult, TableResult
    from papers.pairs import Cost, Pair


def shown(result: TableResult, pairs: Sequence[Pair]) -> tuple[Grid, ...]:
    """Three grids: values, speed and memory; none where nothing was tried."""
    if not pairs or result.table.paired is None:
        return ()
    first, second = result.table.paired
    values = Grid(
        "Values",
        SAYS,
        (first, second, f"{second} - {first}", "finding"),
        tuple((pair.name, (_value(pair.first), _value(pair.second), _change(pair), finding(pair))) for pair in pairs),
    )
    costs = (first, second, f"{second} / {first}")
    speed = Grid("Speed of training", COSTS, costs, tuple((pair.name, _cost(pair.speed)) for pair in pairs))
    memory = Grid("Peak memory", "", costs, tuple((pair.name, _cost(pair.memory)) for pair in pairs))
    return values, speed, memory


def show(result: TableResult, pairs: Sequence[Pair], console: Console) -> None:
    """Prints them to `console`, with what failed and what can be done."""
    from rich.text import Text

    seeds = f"seed{'s' * (len(result.seeds) != 1)} {', '.join(map(str, result.seeds))}"
    console.print()
    console.print(Text(plain(result.table.title), style="bold"))
    console.print(Text(plain(f"{result.table.name} · {result.scale} · {seeds}"), style="dim"))
    for grid in shown(result, pairs):
        grids.show(grid, console)
    if failures := _failures(result):
        console.print()
        for failure in failures:
            console.print(Text(plain(f"! {failure}"), style="red"))
    for hint in wording.hints(result):
        console.print(Text(plain(f"→ {hint}")), soft_wrap=True)


def finding(pair: Pair) -> str:
    """ "no difference found (3 seeds)", "differs, p = 0.01 (3 seeds)", or why nothing was tested."""
    if pair.adjusted is None:
        return pair.finding
    number = f"{len(pair.change.seeds)} seed{'s' * (len(pair.change.seeds) != 1)}"
    told = f", p = {pair.adjusted:.2g}" if pair.finding == DIFFERS else ""
    return f"{pair.finding}{told} ({number})"


def _failures(result: TableResult) -> list[str]:
    """What came to nothing: cells without a value, and failed runs of others."""
    lost = [
        f"{cell.cell.row}, {cell.cell.heading}: {cell.reason}"
        for cell in result.cells
        if cell.measured is None and cell.attempts
    ]
    return [*lost, *wording.failures(result)]


def _value(cell: CellResult) -> str:
    if cell.measured is None:
        return wording.verdict(cell) if cell.attempts else wording.NONE
    known = [number for number in (cell.measured, cell.low, cell.high) if number is not None]
    told = [f"{number:.1f}" if cell.cell.measure.share else f"{number:.3g}" for number in known]
    unit = f" {cell.cell.measure.show}" if cell.cell.measure.show else ""
    within = f" [{told[1]}, {told[2]}]" if len(told) == 3 else ""
    return f"{told[0]}{'*' * bool(cell.stale)}{unit}{within}"


def _change(pair: Pair) -> str:
    return pair.change.text or wording.NONE


def _cost(cost: Cost) -> tuple[str, str, str]:
    """Both sides and their factor, with a reason where it is not known."""
    return _amount(cost, cost.first), _amount(cost, cost.second), cost.change.text or cost.change.lacking


def _amount(cost: Cost, value: float | None) -> str:
    if value is None:
        return wording.NONE
    return wording.size(round(value)) if cost.measure == PEAK_MEMORY else f"{value:,.0f} {cost.measure.show}"


COLUMNS = (
    "table", "scale", "column", "stand_in", "measure", "unit", "first_row", "second_row", "first", "first_low",
    "first_high", "second", "second_low", "second_high", "change", "change_low", "change_high", "p", "p_holm",
    "finding", "seeds", "first_samples_per_second", "second_samples_per_second", "speed_factor", "speed_factor_low",
    "speed_factor_high", "first_peak_memory", "second_peak_memory", "memory_factor", "memory_factor_low",
    "memory_factor_high",
)  # fmt: skip


def to_csv(result: TableResult, pairs: Sequence[Pair]) -> str:
    """A line a column of the table, numbers in full; a change is a difference, of losses a factor."""
    lines = [
        (
            inert(result.table.name),
            result.scale,
            inert(pair.first.cell.column),
            inert(pair.first.cell.stand_in),
            pair.change.measure.name,
            pair.change.measure.show,
            *map(inert, result.table.paired or ()),
            *(_full(number) for cell in (pair.first, pair.second) for number in (cell.measured, cell.low, cell.high)),
            *map(_full, (pair.change.value, pair.change.low, pair.change.high, pair.change.p, pair.adjusted)),
            inert(pair.finding),
            ";".join(map(str, pair.change.seeds)),
            *(
                _full(number)
                for cost in (pair.speed, pair.memory)
                for number in (cost.first, cost.second, cost.change.value, cost.change.low, cost.change.high)
            ),
        )
        for pair in pairs
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *lines])
    return text.getvalue()


def to_latex(result: TableResult, pairs: Sequence[Pair]) -> str:
    """A tabular for the booktabs package: both values, their difference, the finding, and the factors of the costs."""
    first, second = result.table.paired or ("", "")
    lines = [
        comment(f"% {result.table.title}; {result.table.name}, scale {result.scale}"),
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lrrrlrr}",
        r"\toprule",
        rf" & {escape(first)} & {escape(second)} & difference & finding & samples/s & peak memory \\",
        r"\midrule",
    ]
    for pair in pairs:
        fields = (
            pair.name, _value(pair.first), _value(pair.second), _change(pair), finding(pair), _cost(pair.speed)[2],
            _cost(pair.memory)[2],
        )  # fmt: skip
        lines.append(" & ".join(map(escape, fields)) + r" \\")
    lines.append(r"\bottomrule")
    lines += [rf"\multicolumn{{7}}{{p{{0.9\linewidth}}}}{{\footnotesize {escape(said)}}} \\" for said in (SAYS, COSTS)]
    return "\n".join([*lines, r"\end{tabular}", ""])


def _full(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
