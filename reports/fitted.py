"""A table in the terminal, in as many pieces as its width needs: no cell is ever cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    first: int = 1,
    last: int = 1,
    words: Sequence[str] = (),
) -> None:
    """Prints `rows`, one cell a heading, as one table or, where that is too wide, as several with fewer columns each.

    The `first` and `last` columns tell what a row is and how it went: each piece has them. They stand to the left, as
    do the columns headed by one of `words`; the others to the right.
    """
    from rich.measure import Measurement

    unlimited = console.options.update(width=10_000)
    end = len(headings) - last
    tables: list[Table] = []
    for parts in range(1, max(1, end - first) + 1):
        cuts = [first + (end - first) * part // parts for part in range(parts + 1)]
        tables = [
            _table(
                headings, rows, [*range(first), *range(start, stop), *range(end, len(headings))], {*words}, first, end
            )
            for start, stop in itertools.pairwise(cuts)
        ]
        if all(Measurement.get(console, unlimited, table).maximum <= console.width for table in tables):
            break
    for table in tables:
        console.print(table, markup=False)


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: Sequence[int],
    words: set[str],
    first: int,
    end: int,
) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        figures = first <= column < end and headings[column] not in words
        table.add_column(headings[column], justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(row[column] for column in columns))
    return table
