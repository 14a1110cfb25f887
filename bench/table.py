"""Tables and claims of a paper, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .experiment import Experiment

if TYPE_CHECKING:
    from .evidence import Evidence


@dataclass(frozen=True)
class Source:
    """Where a published value stands in the store: table, row and column; for a curve also which part of it.

    With `until` (a number of epochs), `row` is a training run and `column` one of "accuracy_a", "accuracy_b" and
    "accuracy_last": the value that this protocol finds in the first `until` epochs of its curve.
    """

    table: str
    row: str
    column: str
    until: int | None = None


@dataclass(frozen=True)
class Cell:
    """One number of a table: what was published, and the experiment and metric that measure it.

    `experiment` is given for seed 0 and run for each seed asked for. `not_comparable` is the reason why its number must
    not be held against the published one; empty when scale, protocol and data are the same. `log` is the authors'
    training run of the same cell, whose curve is shown beside ours. `stand_in` is the data that a small experiment was
    run on in place of the set that the table or the column names, such as "8x8 digits"; `heading` says so.
    """

    row: str
    column: str
    protocol: str
    experiment: Experiment
    metric: str
    sources: tuple[Source, ...]
    not_comparable: str = ""
    log: str = ""
    stand_in: str = ""

    @property
    def heading(self) -> str:
        """The column as it is shown: "Fashion-MNIST (8x8 digits)"."""
        return f"{self.column} ({self.stand_in})" if self.stand_in else self.column


def headings(cells: Iterable[Cell]) -> dict[str, str]:
    """How each column is shown; a column whose cells have several stand-ins names them all."""
    found: dict[str, dict[str, None]] = {}
    for cell in cells:
        found.setdefault(cell.column, {}).update({cell.stand_in: None} if cell.stand_in else {})
    return {column: f"{column} ({', '.join(names)})" if names else column for column, names in found.items()}


@dataclass(frozen=True)
class Finding:
    """What the store says of a claim: "holds", "fails" or "undecided", with the numbers and the test.

    `scale_too_small`: undecided because its scale decides nothing, however many seeds there are.
    """

    status: str
    evidence: str
    test: str
    scale_too_small: bool = False


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, and the function over the stored results that decides it."""

    id: str
    statement: str
    source: str
    decide: Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Table:
    """A table of a paper. `cells(scale)` lists its cells; `notes` are the departures from the paper.

    `axis` names what the rows count up ("k" for the rows "k=1", "k=2" ...); reports then draw the columns over it.
    """

    name: str
    paper: str
    title: str
    unit: str
    cells: Callable[[str], list[Cell]]
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()
    axis: str = ""

    def experiments(
        self, scale: str, seeds: Iterable[int], wanted: Callable[[Cell], bool] = lambda cell: True
    ) -> list[Experiment]:
        """The distinct experiments behind the cells, or behind those that are wanted, in table order."""
        cells = [cell for cell in self.cells(scale) if wanted(cell)]
        distinct = {e.key: e for seed in seeds for cell in cells for e in [cell.experiment.with_seed(seed)]}
        return list(distinct.values())


def merge(findings: Iterable[tuple[str, Finding]]) -> Finding:
    """One finding out of several named ones: fails if any fails, holds if all hold, else undecided."""
    named = list(findings)
    statuses = {finding.status for _, finding in named}
    status = "fails" if "fails" in statuses else "holds" if statuses == {"holds"} else "undecided"
    tests = list(dict.fromkeys(finding.test for _, finding in named))
    return Finding(
        status, "; ".join(f"{name}: {finding.status}, {finding.evidence}" for name, finding in named), "; ".join(tests)
    )
