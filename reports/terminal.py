"""A table of results in the terminal: as a grid where it is wide enough, else one line per cell."""

from __future__ import annotations

from collections.abc import Sequence
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
    from papers.table import Claim

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
    from rich.measure import Measurement

    marks = {reason: str(place).translate(SUPERSCRIPT) for reason, place in wording.reasons(result).items()}
    seeds = f"seed{'s' * (len(result.seeds) != 1)} {', '.join(map(str, result.seeds))}" if result.seeds else "no runs"
    console.print()
    console.print(_text(result.table.title, "bold"))
    console.print(_text(f"{result.table.name} · {result.scale} · {seeds} · {result.unit}", "dim"))
    console.print()
    grid = _grid(result, marks)
    fits = Measurement.get(console, console.options.update(width=10_000), grid).maximum <= console.width
    console.print(grid if fits and console.width >= 100 else _lines(result, marks))
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
    """A name whose remark in brackets stands on a line of its own, for the grid has lines to spare, not width."""
    from rich.text import Text

    return Text("\n").join(_text(part, style) for part in name.replace(" (", "\n(").split("\n"))


def _verdict(cell: CellResult, marks: dict[str, str]) -> Text:
    return _text(wording.verdict(cell), STYLES.get(cell.verdict, "")).append(marks.get(cell.reason, ""), "dim")


def _measured(cell: CellResult, places: int) -> str:
    star = "*" * bool(cell.stale)
    return f"{wording.number(cell.measured, places)}{star} {wording.interval(cell.low, cell.high, places)}".strip()


def _grid(result: TableResult, marks: dict[str, str]) -> Grid:
    """Cells of three lines (published, measured with interval, verdict); the longer axis runs downwards."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    places = wording.decimals(result)
    turned = len(result.columns) > len(result.rows)
    down, across = (result.columns, result.rows) if turned else (result.rows, result.columns)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("")
    for name in across:
        grid.add_column(_heading(name), no_wrap=True)
    for name in down:
        cells = [result.at(other, name) if turned else result.at(name, other) for other in across]
        grid.add_row(
            _heading(name, "bold"),
            *(
                Text("\n").join([_text(wording.published(c), "dim"), _text(_measured(c, places)), _verdict(c, marks)])
                if c
                else Text()
                for c in cells
            ),
        )
        if name != down[-1]:
            grid.add_row("")
    grid.columns[0].header = Text("published\nmeasured [95 %]\nverdict", "dim")
    return grid


def _lines(result: TableResult, marks: dict[str, str]) -> Grid:
    """One line per cell, under a heading for each row of the table."""
    from rich import box
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
                    _text(f"  {cell.cell.heading}") if column else "",
                    _text(wording.published(cell)),
                    _text(_measured(cell, places)),
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
