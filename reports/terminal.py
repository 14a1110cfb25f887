"""A table of results in the terminal: as a grid where it is wide enough, else one line per cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from core.plain import plain
from papers.verdict import RULE

from . import wording

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    from papers.claims import Finding
    from papers.evaluate import CellResult, TableResult
    from papers.table import Cell, Claim

STYLES = {
    "reproduced": "green",
    "higher": "cyan",
    "lower": "red",
    "sources disagree": "yellow",
    "not comparable": "",
    "missing": "dim",
    "holds": "green",
    "fails": "red",
    "undecided": "yellow",
    "shown": "green",
    "not shown": "red",
    "mixed": "yellow",
}
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def show(result: TableResult, console: Console) -> None:
    """Print `result` to `console`: cells, claims, reasons, rule and hints. Plain text where there are no colours."""
    marks = {reason: str(place).translate(SUPERSCRIPT) for reason, place in wording.reasons(result).items()}
    seeds = f"seed{'s' * (len(result.seeds) != 1)} {', '.join(map(str, result.seeds))}" if result.seeds else "no runs"
    console.print()
    console.print(_text(result.table.title, "bold"))
    about = [result.table.name, result.scale, seeds, *([result.unit] if result.unit else [])]
    console.print(_text(" · ".join(about), "dim"))
    console.print()
    grids = [_grid(result, marks)] if console.width >= 100 else []
    grids += [_lines(result, marks, heading) for heading in (_whole, _broken)]
    console.print(next((grid for grid in grids if _fits(grid, console)), grids[-1]))
    if chance := wording.by_chance(result):
        console.print(_text(chance))
    show_claims(result.claims, console)
    if marks:
        console.print()
        console.print(_indented([(mark, "", reason) for reason, mark in marks.items()]))
    if failures := wording.failures(result):
        console.print()
        console.print(_indented([("!", "red", failure) for failure in failures]))
    console.print()
    console.print(_text(f"Rule: {RULE}", "dim"))
    if hints := wording.hints(result):
        console.print()
        for hint in hints:
            console.print(_text(f"→ {hint}"), soft_wrap=True)  # a command that is broken in two cannot be copied


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(plain(text), style=style)


def _heading(name: str, style: str = "") -> Text:
    """A name, which may have several lines."""
    from rich.text import Text

    return Text("\n").join(_text(part, style) for part in name.split("\n"))


def _fits(grid: Grid, console: Console) -> bool:
    """Whether no word of it has to be broken or moved to another line."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=10_000), grid).maximum <= console.width


def _whole(cell: Cell) -> str:
    return cell.heading


def _broken(cell: Cell) -> str:
    """The heading of a cell; what stands in, and a remark in brackets, have lines of their own."""
    return cell.heading.replace(f"{cell.of_paper}, ", f"{cell.of_paper},\n", 1).replace(" (", "\n(")


def _verdict(cell: CellResult, marks: dict[str, str]) -> Text:
    return _text(wording.verdict(cell), STYLES.get(cell.verdict, "")).append(marks.get(cell.reason, ""), "dim")


def _measured(cell: CellResult, places: wording.Places, unit: str) -> str:
    return f"{wording.measured(cell, places, unit)} {wording.interval(cell.low, cell.high, places)}".strip()


def _grid(result: TableResult, marks: dict[str, str]) -> Grid:
    """Cells of three lines (published, measured with interval, verdict); the longer axis runs downwards."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    places = wording.decimals(result)
    turned = len(result.columns) > len(result.rows)
    down, across = (result.columns, result.rows) if turned else (result.rows, result.columns)
    broken = {cell.cell.heading: _broken(cell.cell) for cell in result.cells}
    broken |= {row: row.replace(" (", "\n(") for row in result.rows}
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("")
    for name in across:
        grid.add_column(_heading(broken[name]), no_wrap=True)
    for name in down:
        cells = [result.at(other, name) if turned else result.at(name, other) for other in across]
        grid.add_row(
            _heading(broken[name], "bold"),
            *(
                Text("\n").join(
                    [
                        _text(wording.published(c), "dim"),
                        _text(_measured(c, places[c.cell.measure], result.unit)),
                        _verdict(c, marks),
                    ]
                )
                if c
                else Text()
                for c in cells
            ),
        )
        if name != down[-1]:
            grid.add_row("")
    grid.columns[0].header = Text("published\nmeasured [95 %]\nverdict", "dim")
    return grid


def _lines(result: TableResult, marks: dict[str, str], heading: Callable[[Cell], str]) -> Grid:
    """One line per cell with its `heading`, under one for each row of the table."""
    from rich import box
    from rich.padding import Padding
    from rich.table import Table as Grid

    places = wording.decimals(result)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("")
    grid.add_column("published", justify="right")
    grid.add_column("measured [95 %]", no_wrap=True)
    grid.add_column("verdict")
    for row in result.rows:
        if row != result.rows[0]:
            grid.add_row("")
        grid.add_row(_text(row, "bold"))
        for column in result.columns:
            if cell := result.at(row, column):
                grid.add_row(
                    Padding(_heading(heading(cell.cell)), (0, 0, 0, 2)) if column else "",
                    _text(wording.published(cell)),
                    _text(_measured(cell, places[cell.cell.measure], result.unit)),
                    _verdict(cell, marks),
                )
    return grid


def show_claims(claims: Sequence[tuple[Claim, Finding]], console: Console) -> None:
    """Print claims with their findings, evidence and tests to `console`; nothing for none."""
    from rich.table import Table as Grid

    if not claims:
        return
    console.print()
    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for claim, finding in claims:
        grid.add_row(_text(finding.status, STYLES.get(finding.status, "")), _text(claim.id), _text(claim.statement))
        for line in wording.evidence_lines(finding):
            grid.add_row("", "", _text(line, "dim"))
        if finding.test:
            grid.add_row("", "", _text(f"test: {finding.test}", "dim"))
        if claim.authors:
            grid.add_row("", "", _text(wording.authors(claim), "dim"))
    console.print(grid)


def _indented(lines: list[tuple[str, str, str]]) -> Grid:
    """Lines of mark, its style, and a text that wraps beside the mark."""
    from rich.table import Table as Grid

    grid = Grid.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for mark, style, line in lines:
        grid.add_row(_text(mark, style), _text(line))
    return grid
