"""The board of a ranked table in the terminal: ranks and then values, a line for each row, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.plain import plain
from papers.board import SAYS, SECONDS_RULE

from . import wording
from .board import FEW, estimate, incomplete, seeds, value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid

    from papers.board import League
    from papers.evaluate import TableResult


def show(result: TableResult, leagues: Sequence[League], console: Console) -> None:
    """Print ranks, groups and scores of each league, what is incomplete, the rule and hints."""
    from rich.text import Text

    console.print()
    console.print(Text(plain(result.table.title), style="bold"))
    console.print(Text(plain(f"{result.table.name} · {result.scale} · {seeds(result)}"), style="dim"))
    for league in leagues:
        console.print()
        console.print(Text(plain(league.title), style="bold"))
        console.print(_ranks(league))
        console.print(_values(league))
        if not league.tested:
            console.print(Text(FEW, style="dim"))
        for line in incomplete(league):
            console.print(Text(plain(f"! {line}"), style="red"))
    if failures := wording.failures(result):
        console.print()
        for failure in failures:
            console.print(Text(plain(f"! {failure}"), style="red"))
    console.print()
    for rule in (SAYS, SECONDS_RULE):
        console.print(Text(f"Rule: {rule}", style="dim"))
    for hint in wording.hints(result):
        console.print(Text(plain(f"→ {hint}")), soft_wrap=True)


def _ranks(league: League) -> Grid:
    grid = _grid("rank [95 %]", "groups", "at equal seconds", "score")
    for standing in league.standings:
        grid.add_row(
            plain(standing.row),
            estimate(standing.rank, 1) or "incomplete",
            standing.letters,
            estimate(standing.at_seconds, 1),
            estimate(standing.score, 2),
        )
    return grid


def _values(league: League) -> Grid:
    grid = _grid(*map(plain, league.columns))
    for standing in league.standings:
        places = [standing.places.get(column) for column in league.columns]
        grid.add_row(plain(standing.row), *(wording.NONE if place is None else value(place.result) for place in places))
    return grid


def _grid(*columns: str) -> Grid:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("", no_wrap=True)
    for name in columns:
        grid.add_column(name, overflow="fold")
    return grid
