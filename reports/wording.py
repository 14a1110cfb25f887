"""How results are put into words and digits, the same in the terminal, on the pages and in the files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.evaluate import CellResult, PublishedValue, TableResult
    from bench.table import Finding

NONE = "–"
FIRM = ("reported", "derived")  # provenances that need no remark
FINE = 1.0  # an interval narrower than this (in the table's unit) is worth a second decimal
ENOUGH_SEEDS = 3  # paired tests over seeds start here


def decimals(result: TableResult) -> int:
    """Digits behind the point for the measured values of a table: as many as its narrowest interval deserves."""
    widths = [cell.high - cell.low for cell in result.cells if cell.low is not None and cell.high is not None]
    return 2 if widths and min(widths) < FINE else 1


def number(value: float | None, places: int) -> str:
    return NONE if value is None else f"{value:.{places}f}"


def interval(low: float | None, high: float | None, places: int) -> str:
    """The bounds as "[91.2, 95.1]", or nothing where there is none."""
    return "" if low is None or high is None else f"[{low:.{places}f}, {high:.{places}f}]"


def distinct(values: Iterable[PublishedValue]) -> list[PublishedValue]:
    """The published values without repetitions, the first source of each kept."""
    return list({value.value: value for value in reversed(list(values))}.values())[::-1]


def published(cell: CellResult) -> str:
    """The published values of a cell, all that differ: "97.72 / 99.72"; recollections and pilots are marked so."""
    return " / ".join(map(published_value, distinct(cell.published))) or NONE


def published_value(value: PublishedValue) -> str:
    remark = "" if value.provenance in FIRM else f" ({value.provenance.replace('_', ' ')})"
    return f"{value.value:g}{remark}"


def verdict(cell: CellResult) -> str:
    """The verdict; where a run was tried in vain, with what became of it: "missing (diverged)"."""
    if cell.measured is None and cell.attempts and cell.attempts[-1].outcome != "ok":
        return f"{cell.verdict} ({cell.attempts[-1].outcome})"
    return cell.verdict


def reasons(result: TableResult) -> dict[str, int]:
    """Every reason behind a verdict once, numbered from 1 in table order."""
    found = dict.fromkeys(cell.reason for cell in result.cells if cell.reason)
    return {reason: place for place, reason in enumerate(found, start=1)}


def failures(result: TableResult) -> list[str]:
    """Failed latest runs of cells that have a value all the same, from other seeds or from before: one line a run."""
    found = {
        run.id: f"{run.outcome}, seed {run.seed}, {cell.cell.row}, {cell.cell.column}: {run.reason}"
        for cell in reversed(result.cells)
        if cell.measured is not None
        for run in cell.attempts
        if run.outcome != "ok"
    }
    return list(found.values())[::-1]


def evidence_lines(finding: Finding) -> list[str]:
    """The evidence of a claim by column, columns with the same evidence on one line."""
    lines: dict[str, list[str]] = {}
    for part in finding.evidence.split("; "):
        name, colon, text = part.partition(": ")
        lines.setdefault(text if colon else part, []).extend([name] if colon else [])
    return [f"{', '.join(names)}: {text}" if names else text for text, names in lines.items()]


def hints(result: TableResult) -> list[str]:
    """What a reader can do about gaps in the table."""
    again = f"python -m bench.reproduce {result.table.name} --scale {result.scale}"
    found = []
    if unrun := sum(cell.measured is None and not cell.attempts for cell in result.cells):
        found.append(f"{unrun} of {len(result.cells)} cells have not been run: {again}")
    undecided = sum(finding.status == "undecided" for _, finding in result.claims)
    if undecided and 0 < len(result.seeds) < ENOUGH_SEEDS:
        seeds = f"{len(result.seeds)} seed{'s' * (len(result.seeds) > 1)}"
        found.append(f"undecided claims ({undecided}) rest on {seeds}; more may decide them: {again} --seeds 3")
    if any(cell.stale for cell in result.cells):
        found.append(f"values marked * were measured by an earlier version of the code: {again}")
    return found


def plain(text: str) -> str:
    """`text` on one line and without control characters, which could steer a terminal."""
    return re.sub(r"[^\S ]+", " ", "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in text)).strip()
