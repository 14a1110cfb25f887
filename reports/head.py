"""What a reader wants first: what is reproduced, what holds, what was never run, and where it was measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers.machines import machine

from . import wording
from .claims import ORDER, Row

if TYPE_CHECKING:
    from papers.evaluate import TableResult
    from results import StoredRun

SHOWN = 3  # revisions that are named
UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Head:
    """Counts of cells and of claims by their word, tables without any run, and machines with their number of runs.

    `newest` is when the last run was started, `revisions` those of the newest runs, the newest first.
    """

    cells: dict[str, int]
    claims: dict[str, int]
    never: tuple[str, ...]
    machines: tuple[tuple[str, int], ...]
    newest: str
    revisions: tuple[str, ...]


def head(results: Iterable[TableResult], stated: Sequence[Row], runs: Sequence[StoredRun]) -> Head:
    """Of all tables that the report shows; `runs` with the newest last."""
    states: Counter[str] = Counter()
    begun: dict[str, bool] = {}
    for result in results:
        states.update(wording.summary(result))
        begun[result.table.name] = begun.get(result.table.name, False) or bool(result.seeds)
    found = Counter(row.finding.status for row in stated)
    revisions = dict.fromkeys(str(run.environment.get("revision") or UNKNOWN)[:12] for run in reversed(runs))
    return Head(
        {word: states[word] for word in wording.STATES if word in states},
        {word: found[word] for word in reversed(ORDER) if word in found},
        tuple(name for name, known in begun.items() if not known),
        tuple(sorted(Counter(machine(run) or UNKNOWN for run in runs).items())),
        runs[-1].started if runs else "",
        tuple(revisions)[:SHOWN],
    )
