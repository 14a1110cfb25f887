"""A table in the terminal, in as many pieces as its width needs: no cell is ever cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def show(console: Console, count: int, piece: Callable[[Sequence[int]], Table]) -> None:
    """Prints `piece(range(count))`; where that is too wide, pieces with fewer and fewer of the columns 0 .. count - 1.

    What identifies a row is up to `piece` to repeat in each.
    """
    from rich.measure import Measurement

    tables: list[Table] = []
    for parts in range(1, max(1, count) + 1):
        ends = [count * part // parts for part in range(parts + 1)]
        tables = [piece(range(start, end)) for start, end in itertools.pairwise(ends)]
        unlimited = console.options.update(width=10_000)
        if all(Measurement.get(console, unlimited, table).maximum <= console.width for table in tables):
            break
    for table in tables:
        console.print(table, markup=False)
