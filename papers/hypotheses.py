"""The statistics behind claims: estimates with their one-sided tests, and Holm's rule for several of them.

SciPy is imported where used: listing tables must not wait for it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 0.025  # of a one-sided test; the two sides together are the 95 % interval
MIN_SEEDS = 3  # fewer runs of an arm are not tested
ROUNDING = 1e-9  # what is no difference between numbers that do not vary
Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """An estimated number with its standard error and the degrees of freedom of that (Student)."""

    mean: float
    error: float
    freedom: float

    def interval(self) -> Interval:
        """The 95 % interval."""
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom, 1 - ALPHA)) * self.error
        return self.mean - half, self.mean + half

    def above(self, bound: float) -> float:
        """One-sided p of what is seen if the number were not above `bound`."""
        from scipy.special import stdtr

        if self.error == 0:
            return 0.0 if self.mean - bound > ROUNDING * max(1.0, abs(bound)) else 1.0
        return float(stdtr(self.freedom, (bound - self.mean) / self.error))

    def below(self, bound: float) -> float:
        """One-sided p of what is seen if the number were not below `bound`."""
        return Estimate(-self.mean, self.error, self.freedom).above(-bound)


def resolution(samples: int | None) -> float:
    """The least spread of a share of so many samples: that of its rounding to one sample, 1 / (n sqrt 6).

    A share moves in steps of 1 / n; equal values over a few seeds do not show that nothing varies.
    """
    return 1 / (samples * math.sqrt(6)) if samples else 0.0


def welch(first: Sequence[float], second: Sequence[float], least: float = 0.0, weight: float = 1.0) -> Estimate:
    """Difference of the means of two arms whose spreads may differ, degrees of freedom by Satterthwaite (Welch 1947).

    `least` is the least spread of an arm (resolution); the first arm counts `weight` times. Each needs two values.
    """
    arms = ((first, weight), (second, 1.0))
    shares = [(factor * _deviation(arm, least)) ** 2 / len(arm) for arm, factor in arms]
    total = sum(shares)
    parts = sum(share**2 / (len(arm) - 1) for share, (arm, _) in zip(shares, arms, strict=True))
    freedom = total**2 / parts if parts else float(len(first) + len(second) - 2)
    return Estimate(weight * statistics.fmean(first) - statistics.fmean(second), math.sqrt(total), freedom)


def student(values: Sequence[float], least: float = 0.0) -> Estimate:
    """The mean of `values`; needs two."""
    return Estimate(
        statistics.fmean(values), _deviation(values, least) / math.sqrt(len(values)), float(len(values) - 1)
    )


def next_run(values: Sequence[float], least: float = 0.0) -> Estimate:
    """One more run like `values`: the spread of a single run on top of that of their mean (prediction interval)."""
    error = _deviation(values, least) * math.sqrt(1 + 1 / len(values))
    return Estimate(statistics.fmean(values), error, float(len(values) - 1))


def share_above(hits: int, of: int, chance: float) -> float:
    """One-sided p of so many `hits` if each came with no more than `chance` (binomial)."""
    from scipy.special import bdtrc  # scipy.stats takes a second to load

    return float(bdtrc(hits - 1, of, chance)) if hits > 0 else 1.0


def share_below(hits: int, of: int, chance: float) -> float:
    """One-sided p of so few `hits` if each came with at least `chance` (binomial)."""
    return share_above(of - hits, of, 1 - chance)


def holm(values: Sequence[float]) -> list[float]:
    """The p values adjusted for testing all of them together, in their order (Holm 1979)."""
    adjusted = [1.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = largest
    return adjusted


def _deviation(values: Sequence[float], least: float) -> float:
    return max(statistics.stdev(values), least)
