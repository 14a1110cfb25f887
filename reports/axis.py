"""Tables whose rows count something up: the columns drawn over it, measured and published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import figures
from .curves import Plot
from .figures import Line

if TYPE_CHECKING:
    from papers.evaluate import TableResult


@dataclass(frozen=True)
class Axis:
    """The plots over the rows' number, with a line style by column."""

    title: str
    legend: tuple[tuple[str, int], ...]
    plots: tuple[Plot, ...]


def drawings(result: TableResult) -> list[Axis]:
    """What the table draws of its runs besides."""
    found = []
    for drawing in result.drawings:
        lines = [
            Line(label, tuple(x for x, _ in points), tuple(y for _, y in points), style)
            for style, (label, points) in enumerate(drawing.lines)
        ]
        svg = figures.panel(drawing.title, lines, drawing.y_label, x_label=drawing.x_label, log=True, x_log=True)
        legend = tuple((line.label, line.style) for line in lines)
        found.append(Axis(drawing.title, legend, (Plot(svg, drawing.caption),) if svg else ()))
    return found


def plots(result: TableResult) -> Axis | None:
    """Measured values with their intervals, and the first published value of each cell; None without such an axis."""
    axis = result.table.axis
    placed = [(cell.cell.at, cell) for cell in result.cells if cell.cell.at is not None]
    if not axis or not placed:
        return None
    styles = {column: style for style, column in enumerate(dict.fromkeys(cell.cell.of_paper for cell in result.cells))}
    measured: list[Line] = []
    published: list[Line] = []
    for column, style in styles.items():
        cells = [(place, cell) for place, cell in placed if cell.cell.of_paper == column]
        ours = [(x, cell) for x, cell in cells if cell.measured is not None]
        x = tuple(place for place, _ in ours)
        measured.append(Line(column, x, tuple(cell.measured for _, cell in ours), style))
        measured += [
            Line(column, x, tuple(bound), style, faint=True)
            for bound in ([cell.low for _, cell in ours], [cell.high for _, cell in ours])
        ]
        printed = [(place, [v.value for v in cell.published if not v.unit]) for place, cell in cells]
        theirs = [(place, values[0]) for place, values in printed if values]
        published.append(Line(column, tuple(x for x, _ in theirs), tuple(y for _, y in theirs), style))
    title = ", ".join(dict.fromkeys(cell.cell.measure.title for _, cell in placed))
    label = f"{title}, {result.unit}" if result.unit else title
    data = ", ".join(dict.fromkeys(cell.cell.stand_in for cell in result.cells if cell.cell.stand_in))
    measured_on = f"Measured on {data}" if data else "Measured"
    found = (
        Plot(
            figures.panel(f"Measured, over {axis}", measured, label, x_label=axis),
            f"{measured_on}, with 95 % intervals",
        ),
        Plot(figures.panel(f"Published, over {axis}", published, label, x_label=axis), "Published"),
    )
    return Axis(f"{title.capitalize()} against {axis}", tuple(styles.items()), tuple(p for p in found if p.svg))
