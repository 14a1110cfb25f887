"""A table of results as CSV and as LaTeX."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from core.plain import plain

from . import wording
from .latex import comment, escape

if TYPE_CHECKING:
    from papers.evaluate import TableResult

COLUMNS = (
    "table",
    "scale",
    "row",
    "column",
    "stand_in",
    "protocol",
    "unit",
    "published",
    "published_source",
    "measured",
    "low",
    "high",
    "expected_low",
    "expected_high",
    "seeds",
    "test_samples",
    "verdict",
    "reason",
    "stale",
    "runs",
)


def to_csv(result: TableResult) -> str:
    """A line per cell with the columns COLUMNS, numbers in full; several values, seeds or runs joined by ";"."""
    lines = [
        (
            inert(result.table.name),
            result.scale,
            inert(cell.cell.row),
            inert(cell.cell.heading),
            inert(cell.cell.stand_in),
            inert(cell.cell.protocol.name),
            inert(cell.cell.measure.show),
            ";".join(f"{_full(value.value)} {value.unit}".rstrip() for value in cell.published),
            inert("; ".join(value.source for value in cell.published)),
            _full(cell.measured),
            _full(cell.low),
            _full(cell.high),
            *map(_full, cell.expected or (None, None)),
            ";".join(str(run.seed) for run in cell.runs),
            "" if cell.test_samples is None else cell.test_samples,
            wording.verdict(cell),
            inert(cell.reason),
            inert(cell.stale),
            ";".join(run.id for run in cell.runs),
        )
        for cell in result.cells
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *lines])
    return text.getvalue()


def to_latex(result: TableResult) -> str:
    """A tabular for the booktabs package: row, column, published, measured, 95 % interval, verdict, and below it the
    reasons that the verdicts refer to by number."""
    places, reasons = wording.decimals(result), wording.reasons(result)
    unit = f" ({escape(result.unit)})" if result.unit else ""
    lines = [
        comment(f"% {result.table.title}; {result.table.name}, scale {result.scale}"),
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{llrrll}",
        r"\toprule",
        rf" & & published{unit} & measured{unit} & 95\,\% interval & verdict \\",
    ]
    for row in result.rows:
        lines.append(r"\midrule")
        label = "{}" * row.startswith(("[", "*")) + escape(row)  # after a line break these would be its argument
        for column in result.columns:
            cell = result.at(row, column)
            if cell is None:
                continue
            fields = (
                wording.published(cell),
                wording.measured(cell, places[cell.cell.measure], result.unit),
                wording.interval(cell.low, cell.high, places[cell.cell.measure]),
                wording.verdict(cell),
            )
            mark = rf"\textsuperscript{{{reasons[cell.reason]}}}" if cell.reason else ""
            lines.append(" & ".join([label, escape(cell.cell.heading), *map(escape, fields)]) + rf"{mark} \\")
            label = ""
    lines.append(r"\bottomrule")
    notes = [rf"\textsuperscript{{{number}}} {escape(reason)}" for reason, number in reasons.items()]
    for note in [*([escape(chance)] if (chance := wording.by_chance(result)) else []), *notes]:
        lines.append(rf"\multicolumn{{6}}{{p{{0.9\linewidth}}}}{{\footnotesize {note}}} \\")
    return "\n".join([*lines, r"\end{tabular}", ""])


def _full(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def inert(text: str) -> str:
    """`text` made plain; one that a spreadsheet would take for a formula gets an apostrophe in front."""
    text = plain(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
