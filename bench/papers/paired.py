"""What claims of several works share: differences between two rows of a table, paired by seed, column by column.

The same seed gives the same initial weights, batches and masks, whatever the neuron.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable
from dataclasses import replace

from bench.evidence import Evidence
from bench.intervals import paired
from bench.table import Finding, merge

PAIRED_TEST = "paired by seed, 95 % interval of the mean difference (Student)"
MIN_SEEDS = 3
COMPARABLE = 2.0  # points of accuracy within which two results count as comparable
Score = Callable[[Evidence, str, str, int], float]
"""A number, as a fraction, of a row, column and seed."""


def by_column(decide: Callable[[Evidence, str], Finding | None]) -> Callable[[Evidence], Finding]:
    """Decides a claim column by column; columns that were not measured are left out."""

    @functools.wraps(decide)
    def every_column(evidence: Evidence) -> Finding:
        findings = [(evidence.heading(column), decide(evidence, column)) for column in evidence.columns]
        measured = [(heading, finding) for heading, finding in findings if finding is not None]
        return merge(measured) if measured else Finding("undecided", "nothing was measured yet", "")

    return every_column


SHOWN_ONLY = {  # why the numbers of a scale do not decide a claim
    "quick": "the claim is about full data sets, small stand-ins do not decide it",
    "short": "the claim is about whole trainings, their first epochs do not decide it",
}


def decided_at(*scales: str) -> Callable[[Callable[[Evidence], Finding]], Callable[[Evidence], Finding]]:
    """Elsewhere than at `scales` a claim gives its numbers and stays undecided."""

    def limited(decide: Callable[[Evidence], Finding]) -> Callable[[Evidence], Finding]:
        @functools.wraps(decide)
        def decided(evidence: Evidence) -> Finding:
            finding = decide(evidence)
            if evidence.scale in scales or not finding.test:  # without a test nothing was measured
                return finding
            text = f"{SHOWN_ONLY[evidence.scale]}; {finding.evidence}"
            return replace(finding, status="undecided", evidence=text, scale_too_small=True)

        return decided

    return limited


def best(evidence: Evidence, row: str, column: str, seed: int) -> float:
    """The largest test accuracy of all epochs."""
    return max(evidence.curve(row, column, seed, "test_accuracy"))


def difference(evidence: Evidence, column: str, rows: tuple[str, str], score: Score) -> list[float]:
    """score(first row) - score(second row) in points, a value a seed."""
    first, second = rows
    return [
        100 * (score(evidence, first, column, seed) - score(evidence, second, column, seed))
        for seed in evidence.seeds_of(column, *rows)
    ]


def mean_of(differences: list[float]) -> str:
    """The mean in words, where there is no interval."""
    return f"{statistics.fmean(differences):+.1f} points ({len(differences)} seed{'s' * (len(differences) > 1)})"


def positive(differences: list[float]) -> Finding | None:
    """Whether the mean of differences (points, one a seed) is above 0; None without any."""
    if not differences:
        return None
    if len(differences) < MIN_SEEDS:
        return Finding("undecided", f"{mean_of(differences)}, needs {MIN_SEEDS}", PAIRED_TEST)
    mean, low, high = paired(differences)
    status = "holds" if low > 0 else "fails" if high < 0 else "undecided"
    return Finding(status, f"{mean:+.1f} [{low:+.1f}, {high:+.1f}] points ({len(differences)} seeds)", PAIRED_TEST)


def small(differences: list[float]) -> Finding | None:
    """Whether the mean of differences (points, one a seed) lies within COMPARABLE of 0; None without any."""
    test = f"{PAIRED_TEST} lies within +-{COMPARABLE:g} points (holds) or outside (fails)"
    if not differences:
        return None
    if len(differences) < MIN_SEEDS:
        return Finding("undecided", f"{mean_of(differences)}, needs {MIN_SEEDS}", test)
    mean, low, high = paired(differences)
    inside, outside = low > -COMPARABLE and high < COMPARABLE, low > COMPARABLE or high < -COMPARABLE
    status = "holds" if inside else "fails" if outside else "undecided"
    return Finding(status, f"{mean:+.1f} [{low:+.1f}, {high:+.1f}] points ({len(differences)} seeds)", test)


def greater(first: str, second: str, score: Score = best) -> Callable[[Evidence], Finding]:
    """Decides that one row scores higher than another, in every column."""
    return by_column(lambda evidence, column: positive(difference(evidence, column, (first, second), score)))


def comparable(first: str, second: str, score: Score = best) -> Callable[[Evidence], Finding]:
    """Decides that two rows score the same within COMPARABLE points, in every column."""
    return by_column(lambda evidence, column: small(difference(evidence, column, (first, second), score)))
