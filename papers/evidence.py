"""What claims may look at: the measured values of one table's cells, by row, column and seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from .hypotheses import resolution
from .layers import of_layers
from .measures import Measure
from .protocols import Curve, Curves, Protocol
from .seeds import Seeds, chosen

if TYPE_CHECKING:
    from results import Parity, Run

Place = tuple[str, str, int]  # row, column, seed


@dataclass(frozen=True)
class Evidence:
    """Measured results of a table at one scale.

    `curves` are metrics by step and `finals` those of a whole run, by row, column, seed and name; `test_samples` the
    size of the test set behind a column; `published` the values that measured ones are held against, in the unit that
    their measure shows, by row and column (none where the cell is not comparable); `headings` how columns are shown
    where that is not their name; `at` the places of the rows on the table's axis. Columns behind which stand equal
    experiments are one of `columns`; `same` leads from the names of the others to it. `experiments` are the keys of
    what each row and column is measured by (with seed 0); `planned` the seeds that were to decide when it was first
    run, by row and column; `unfit` says of a row and column why what was measured there decides nothing; `diverged`
    where a training diverged, of which there is no curve. Claims about speed look at `measurements`, the newest last,
    and the `parities` that back them.
    """

    scale: str = ""
    columns: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    curves: Mapping[tuple[str, str, int, str], Curve] = field(default_factory=dict)
    finals: Mapping[tuple[str, str, int, str], float] = field(default_factory=dict)
    test_samples: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[tuple[str, str], Sequence[float]] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    at: Mapping[str, float] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)
    experiments: Mapping[tuple[str, str], str] = field(default_factory=dict)
    planned: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    unfit: Mapping[tuple[str, str], str] = field(default_factory=dict)
    diverged: frozenset[Place] = frozenset()
    measurements: Sequence[Run] = ()
    parities: Sequence[Parity] = ()

    def heading(self, column: str) -> str:
        """The column as it is shown: with what stands in for its data set."""
        return self.headings.get(column, column)

    def curve(self, row: str, column: str, seed: int, metric: str) -> Sequence[float]:
        """The values of a metric in the order of its steps; empty where it was not measured."""
        return [value for _, value in sorted(self.curves.get((row, column, seed, metric), {}).items())]

    def final(self, row: str, column: str, seed: int, metric: str) -> float | None:
        """The value of a metric for the whole run."""
        return self.finals.get((row, column, seed, metric))

    def layers(self, row: str, column: str, seed: int, metric: str) -> list[Sequence[float]]:
        """The curves of a metric that each layer has one of, in the order of the layers (papers.layers)."""
        names = of_layers(self._places.get((row, column, seed), {}), metric)
        return [self.curve(row, column, seed, name) for name in names]

    def value(self, row: str, column: str, seed: int, measure: Measure, protocol: Protocol) -> float | None:
        """The value of a measure by a protocol, as stored; None where the run does not have it."""
        if not measure.over:
            return self.final(row, column, seed, measure.name)
        found = protocol.select(self._places.get((row, column, seed), {}), measure)
        return None if found is None else found.value

    @property
    def stand_in(self) -> bool:
        """Whether all was measured on stand-ins for the work's data."""
        return self.scale == "quick"

    def resolution(self, column: str, measure: Measure) -> float:
        """The least spread of a measure over seeds, in the unit that is shown; 0 where it is not known."""
        return measure.shown(resolution(self.test_samples.get(column))) if measure.interval == "wilson" else 0.0

    def seeds_of(self, row: str, column: str) -> Seeds:
        """The seeds that decide, of those measured in a place; one that diverged is among them, without a value."""
        found = [seed for seed in self.seeds if (row, column, seed) in self._measured]
        return chosen(found, self.planned.get((row, column)), self.unfit.get((row, column), ""))

    @cached_property
    def _measured(self) -> set[Place]:
        return {(row, column, seed) for row, column, seed, _ in (*self.curves, *self.finals)} | self.diverged

    @cached_property
    def _places(self) -> Mapping[Place, Curves]:
        found: dict[Place, dict[str, Curve]] = defaultdict(dict)
        for (row, column, seed, name), points in self.curves.items():
            found[row, column, seed][name] = points
        return dict(found)
