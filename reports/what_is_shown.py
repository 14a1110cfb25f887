"""All that pages say of the results of a table, as plain values: the same ones give the same pages (reports.kept)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from papers.evaluate import CellResult, TableResult
    from results import StoredRun


def shown_of(result: TableResult) -> tuple[object, ...]:
    """Of the table, its cells and its claims; what stands in the runs' curves is not among it."""
    table = result.table
    return (
        (table.name, table.paper, table.title, table.notes, table.departures, table.axis, table.ranked, table.paired),
        (result.scale, result.seeds, result.drawings),
        [_cell(cell) for cell in result.cells],
        [(claim.id, claim.statement, claim.source, claim.authors, finding) for claim, finding in result.claims],
    )


def _cell(found: CellResult) -> tuple[object, ...]:
    cell = found.cell
    protocol = cell.protocol.name, cell.protocol.says, cell.protocol.label
    own = cell.row, cell.column, cell.heading, cell.measure, cell.at, cell.log, cell.experiment.key, cell.not_comparable
    numbers = found.values, found.measured, found.low, found.high, found.expected, found.test_samples
    judged = found.published, found.verdict, found.reason, found.stale
    runs = [_run(run) for run in found.runs], [_run(run) for run in found.attempts]
    return own, protocol, numbers, judged, runs


def _run(run: StoredRun) -> tuple[object, ...]:
    threads = run.environment.get("torch_threads")  # of which hints tell
    return run.id, run.seed, run.outcome, run.reason, run.device, run.seconds, threads
