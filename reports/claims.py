"""One page of all claims of all works: what was found, with the numbers of its parts around the line that decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from papers.claims import FAILS, HOLDS, MIXED, NOT_SHOWN, SHOWN, UNDECIDED
from papers.measurement import is_measurement

from . import kernels

if TYPE_CHECKING:
    from papers.claims import Finding
    from papers.evaluate import TableResult
    from papers.table import Claim
    from results import Parity, Run

ORDER = (FAILS, NOT_SHOWN, MIXED, UNDECIDED, SHOWN, HOLDS)  # what a reader must not miss comes first


@dataclass(frozen=True)
class Row:
    """A claim of a work, where it was tested, and what was found."""

    work: str
    table: str
    scale: str
    href: str
    claim: Claim
    finding: Finding

    @property
    def place(self) -> int:
        """Where its status stands when sorted."""
        return ORDER.index(self.finding.status)


def rows(results: Iterable[tuple[str, TableResult]], runs: Sequence[Run], parities: Sequence[Parity]) -> list[Row]:
    """The claims of the tables (with the name of each page) that were run, and those about measurements.

    By work, then as the tables have them.
    """
    found = [
        Row(result.table.paper, result.table.name, result.scale, f"{page}.html", claim, finding)
        for page, result in results
        if result.seeds
        for claim, finding in result.claims
    ]
    found += _measured(runs, parities)
    return sorted(found, key=lambda row: row.work)


def _measured(runs: Sequence[Run], parities: Sequence[Parity]) -> Iterator[Row]:
    from papers import measured

    timed = [run for run in runs if is_measurement(run)]
    by_kind = {run.experiment["what"]: run.experiment["neuron"] for run in timed}
    for name, table in measured.TABLES.items():
        claims = [claim for claim in table.claims if claim.about in by_kind]
        for claim, finding in measured.findings(claims, timed, parities):
            page = kernels.page_of(by_kind[claim.about])
            yield Row(table.paper or "", name, "", f"{page}.html#{claim.about}", claim, finding)
