"""Small tables of figures, a line a thing and a column a figure, the same in the terminal and on pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.plain import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@dataclass(frozen=True)
class Grid:
    """A table for readers: its title, a sentence about it, headings, and lines of a name and cells."""

    title: str
    about: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]


def show(grid: Grid, console: Console) -> None:
    """Prints a grid with its title and what it is about."""
    from rich.text import Text

    console.print()
    console.print(Text(grid.title, "bold"))
    if grid.about:
        console.print(Text(grid.about, "dim"))
    console.print(_drawn(grid, console))


def _drawn(grid: Grid, console: Console) -> Table:
    """A line a thing where there is room for it, else a line a figure below the name of each."""
    from rich import box
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    wide, narrow = (Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=headed) for headed in (True, False))
    wide.add_column("")
    for heading in grid.headings:
        wide.add_column(heading, justify="right", no_wrap=True)
    narrow.add_column("")
    narrow.add_column("", justify="right")
    for name, cells in grid.lines:
        wide.add_row(Text(plain(name)), *cells)
        narrow.add_row(Text(plain(name), "bold"))
        for heading, cell in zip(grid.headings, cells, strict=True):
            narrow.add_row(f"  {heading}", cell)
    fits = Measurement.get(console, console.options.update(width=10_000), wide).maximum <= console.width
    return wide if fits else narrow
