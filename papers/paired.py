"""What claims of several works share: differences between two rows of a table, paired by seed, column by column.

The same seed gives the same initial weights, batches and masks, whatever the neuron.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .claims import SCALE, SEEDS, Finding, merge
from .evidence import Evidence
from .measures import Measure
from .protocols import Protocol
from .statistics import paired

PAIRED_TEST = "paired by seed, 95 % interval of the mean difference (Student)"
MIN_SEEDS = 3
COMPARABLE = 2.0  # within so many, in the unit that is shown, two results count as comparable
Decide = Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Score:
    """A number of a row, column and seed: `value` as stored, None where the run does not have it."""

    measure: Measure
    value: Callable[[Evidence, str, str, int], float | None]


def by(measure: Measure, protocol: Protocol) -> Score:
    """The value of a measure by a protocol."""
    return Score(measure, lambda evidence, row, column, seed: evidence.value(row, column, seed, measure, protocol))


@dataclass(frozen=True)
class Differences:
    """First minus second row, a value a seed, in the unit that the measure shows."""

    values: Sequence[float]
    unit: str

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def count(self) -> str:
        return f"{len(self.values)} seed{'s' * (len(self.values) != 1)}"

    def __str__(self) -> str:
        return f"{self.mean:+.1f} {self.unit} ({self.count})"


def by_column(decide: Callable[[Evidence, str], Finding | None]) -> Decide:
    """Decides a claim column by column; columns that were not measured are left out."""

    @functools.wraps(decide)
    def every_column(evidence: Evidence) -> Finding:
        findings = [(evidence.heading(column), decide(evidence, column)) for column in evidence.columns]
        return merge((heading, finding) for heading, finding in findings if finding is not None)

    return every_column


SHOWN_ONLY = {  # why the numbers of a scale do not decide a claim
    "quick": "the claim is about full data sets, small stand-ins do not decide it",
    "short": "the claim is about whole trainings, their first epochs do not decide it",
}


def decided_at(*scales: str) -> Callable[[Decide], Decide]:
    """Elsewhere than at `scales` a claim gives its numbers and stays undecided."""

    def limited(decide: Decide) -> Decide:
        @functools.wraps(decide)
        def decided(evidence: Evidence) -> Finding:
            finding = decide(evidence)
            if evidence.scale in scales or not finding.test:  # without a test nothing was measured
                return finding
            why = SHOWN_ONLY[evidence.scale]
            text = f"{why}; {finding.evidence}" if finding.evidence else why
            return replace(finding, status="undecided", evidence=text, lacks=SCALE)

        return decided

    return limited


def difference(evidence: Evidence, column: str, rows: tuple[str, str], score: Score) -> Differences:
    """The differences of two rows over the seeds that both were measured with."""
    found = []
    for seed in evidence.seeds_of(column, *rows):
        first, second = (score.value(evidence, row, column, seed) for row in rows)
        if first is not None and second is not None:
            found.append(score.measure.shown(first - second))
    return Differences(found, score.measure.difference)


def needs_seeds(differences: Differences, test: str) -> Finding:
    """The finding where there are too few seeds to test anything."""
    return Finding("undecided", f"{differences}, needs {MIN_SEEDS}", test, lacks=SEEDS)


def _decided(status: str, differences: Differences, low: float, high: float, test: str) -> Finding:
    text = f"{differences.mean:+.1f} [{low:+.1f}, {high:+.1f}] {differences.unit} ({differences.count})"
    return Finding(status, text, test, lacks=SEEDS if status == "undecided" else "")


def positive(differences: Differences) -> Finding | None:
    """Whether the mean of the differences is above 0; None without any."""
    if not differences.values:
        return None
    if len(differences.values) < MIN_SEEDS:
        return needs_seeds(differences, PAIRED_TEST)
    _, low, high = paired(differences.values)
    status = "holds" if low > 0 else "fails" if high < 0 else "undecided"
    return _decided(status, differences, low, high, PAIRED_TEST)


def small(differences: Differences) -> Finding | None:
    """Whether the mean of the differences lies within COMPARABLE of 0; None without any."""
    test = f"{PAIRED_TEST} lies within +-{COMPARABLE:g} {differences.unit} (holds) or outside (fails)"
    if not differences.values:
        return None
    if len(differences.values) < MIN_SEEDS:
        return needs_seeds(differences, test)
    _, low, high = paired(differences.values)
    inside, outside = low > -COMPARABLE and high < COMPARABLE, low > COMPARABLE or high < -COMPARABLE
    status = "holds" if inside else "fails" if outside else "undecided"
    return _decided(status, differences, low, high, test)


def greater(first: str, second: str, score: Score) -> Decide:
    """Decides that one row scores higher than another, in every column."""
    return by_column(lambda evidence, column: positive(difference(evidence, column, (first, second), score)))


def comparable(first: str, second: str, score: Score) -> Decide:
    """Decides that two rows score the same within COMPARABLE, in every column."""
    return by_column(lambda evidence, column: small(difference(evidence, column, (first, second), score)))
