"""Tables and claims of a paper, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .claims import Finding
from .departures import Departure
from .drawing import Drawing
from .experiment import Experiment
from .measures import Measure
from .protocols import BEST, Protocol

if TYPE_CHECKING:
    from .evidence import Evidence


@dataclass(frozen=True)
class Source:
    """Where a published value stands in the store: table, row and column.

    With `until` (a number of epochs) it is read off the first epochs of a curve: `row` is the authors' training run,
    in which the protocol of the cell finds the value. `runs` is the number of runs that the value is stated to be the
    mean of. A `repeat` is another run of the same setting by the authors, no other document of the same value. `within`
    is how far, in the unit shown, a value may lie from it and be the same, where that is more than its last digit.
    """

    table: str
    row: str
    column: str = ""
    until: int | None = None
    runs: int = 1
    repeat: bool = False
    within: float = 0.0


@dataclass(frozen=True)
class Cell:
    """One number of a table: what was published, and the experiment that measures it.

    `column` is what the experiment is about, most often a data set; of its trainings `protocol` tells which value of
    `measure` counts. `experiment` is given for seed 0 and run for each seed asked for. `not_comparable` is the reason
    why its number must not be held against the published one; empty when scale, protocol and data are the same. `log`
    is the authors' training run of the same cell, whose curve is shown beside ours. `stand_in` is the data that a small
    experiment was run on in place of the set that the table or the column names, such as "8x8 digits". `at` is the
    place of the row on the table's axis. `other_test_set`: ours is drawn from the same data as the authors', and not
    the same samples. `epoch_seconds` is how long an epoch took the authors. `usual` is the cell as the table has it,
    where this one differs from it in the precision alone: it is judged as that one is once no difference between the
    two is found (papers.paired).
    """

    row: str
    column: str
    measure: Measure
    experiment: Experiment
    sources: tuple[Source, ...] = ()
    protocol: Protocol = BEST
    not_comparable: str = ""
    log: str = ""
    stand_in: str = ""
    at: float | None = None
    other_test_set: bool = False
    epoch_seconds: Source | None = None
    usual: Cell | None = None

    @property
    def heading(self) -> str:
        """The column as it is shown: "CIFAR10, last epoch, 8x8 digits standing in"."""
        return self._on_stand_in(self.of_paper)

    @property
    def of_paper(self) -> str:
        """The column as what was published is shown, which no stand-in has measured: "CIFAR10, last epoch"."""
        return f"{self.column}, {self.protocol.label}" if self.protocol.label else self.column

    @property
    def data(self) -> str:
        """The column without its protocol: "CIFAR10, 8x8 digits standing in"."""
        return self._on_stand_in(self.column)

    def _on_stand_in(self, column: str) -> str:
        return f"{column}, {self.stand_in} standing in" if self.stand_in else column


@dataclass(frozen=True)
class Claim:
    """A statement of a paper, and the function over the stored results that decides it.

    One about speed is shown with the measurements of kind `about`. `authors` says what is in the way where the authors'
    own numbers do not support it; empty where they do, or where there are none.
    """

    id: str
    statement: str
    source: str
    decide: Callable[[Evidence], Finding]
    about: str = ""
    authors: str = ""


class Span(NamedTuple):
    """What who guesses comes to, and who makes no mistake, in the unit in which the measure is stored."""

    guessed: float
    perfect: float

    def share(self, value: float) -> float:
        """How far of the way from one to the other a value lies: 0 to 1, below 0 if it is worse than guessed."""
        return (value - self.guessed) / (self.perfect - self.guessed)


@dataclass(frozen=True)
class Table:
    """A table of a paper, or one across works, whose `paper` is empty. `cells(scale)` lists its cells; `notes` tell
    what a reader of the published numbers must know, `departures` where ours are made in another way.

    `axis` names what the rows count up, each cell `at` its place; reports then draw the columns over it. `drawings`
    makes further plots out of what was measured. `like` are the rows as which another neuron is trained, one at a scale
    (papers.own_rows); empty where the rows are no neurons of one recipe. Where rows are `ranked` over all columns
    (papers.board), it tells the span of each. `paired` are two rows that differ in one setting, which reports hold
    against each other seed by seed (papers.pairs). `configured(table, path)` is it as a
    configuration file of the work asks for it; it raises UsageError for a file that it makes no sense of.
    """

    name: str
    paper: str
    title: str
    cells: Callable[[str], list[Cell]]
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()
    departures: tuple[Departure, ...] = ()
    axis: str = ""
    like: tuple[str, ...] = ()
    drawings: Callable[[Evidence], Sequence[Drawing]] | None = None
    configured: Callable[[Table, Path], Table] | None = None
    ranked: Mapping[str, Span] = field(default_factory=dict)
    paired: tuple[str, str] | None = None

    def experiments(
        self, scale: str, seeds: Iterable[int], wanted: Callable[[Cell], bool] = lambda cell: True
    ) -> list[Experiment]:
        """The distinct experiments behind the cells, or behind those that are wanted, in table order."""
        cells = [cell for cell in self.cells(scale) if wanted(cell)]
        distinct = {e.key: e for seed in seeds for cell in cells for e in [cell.experiment.with_seed(seed)]}
        return list(distinct.values())
