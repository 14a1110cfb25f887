"""What claims may look at: the measured values of one table's cells, by row, column and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Evidence:
    """Measured results of a table at one scale.

    `curve(row, column, seed, metric)` gives a metric by epoch, `final` its value for the whole run (empty or None where
    nothing was measured); `test_samples` the size of the test set behind a column; `published` the values, as
    fractions, that measured ones are held against, by row and column (none where the cell is not comparable);
    `headings` how columns are shown where that is not their name.
    """

    scale: str
    columns: tuple[str, ...]
    seeds: tuple[int, ...]
    curves: Mapping[tuple[str, str, int, str], Sequence[float]]
    finals: Mapping[tuple[str, str, int, str], float]
    test_samples: Mapping[str, int]
    published: Mapping[tuple[str, str], Sequence[float]] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)

    def heading(self, column: str) -> str:
        """The column as it is shown: with what stands in for its data set."""
        return self.headings.get(column, column)

    def curve(self, row: str, column: str, seed: int, metric: str) -> Sequence[float]:
        return self.curves.get((row, column, seed, metric), ())

    def final(self, row: str, column: str, seed: int, metric: str) -> float | None:
        return self.finals.get((row, column, seed, metric))

    def seeds_of(self, column: str, *rows: str) -> list[int]:
        """The seeds for which every one of `rows` was measured in `column`."""
        return [s for s in self.seeds if all(self.curve(row, column, s, "test_accuracy") for row in rows)]
