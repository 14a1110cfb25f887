"""Where a published value is to be expected if it came about as our runs did: prediction intervals.

A published number is one more run, or the mean of k runs. With S runs of ours it lies, in 95 % of all cases, within

    mean +- t(0.975, freedom) sqrt(sd^2 (1/k + 1/S) + variance of the test sets)

of which half the last printed digit is added (Spence and Stanley 2016, PLoS ONE 11(9) e0162874). All numbers are on the
scale on which a measure is compared. SciPy is imported where used.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from .statistics import quantile

FREEDOM = 2  # degrees of freedom with which a spread counts as known: those of three runs
MOST = 1000  # runs; nobody is advised to make more
GROSS = 0.05  # error rate of the check that spreads may be pooled


@dataclass(frozen=True)
class Spread:
    """The standard deviation between runs of one setting, and with how many degrees of freedom it was found."""

    sd: float
    freedom: int


def spread(groups: Sequence[Sequence[float]], floor: float = 0.0) -> Spread:
    """The spread within groups of runs, pooled. A group of one run says nothing; without others, freedom is 0.

    `floor` is the least standard deviation that the digits of the values can show.
    """
    freedom = sum(len(group) - 1 for group in groups if group)
    squares = sum(_squares(group) for group in groups)
    return Spread(max(math.sqrt(squares / freedom), floor) if freedom else 0.0, freedom)


def floor_of_share(n: int) -> float:
    """The standard deviation of the difference between two shares of `n` that look equal: rounding to 1/n, twice."""
    return 1 / (n * math.sqrt(6))


def alike(groups: Sequence[Sequence[float]], floor: float = 0.0) -> bool:
    """Whether spreads may be pooled: none differs grossly from that of all others.

    Each variance is held against the pooled one of the others (F test, both sides, Bonferroni). Where all are equal,
    at most GROSS of all checks refuse. Two runs a group tell gross differences alone.
    """
    from scipy.special import fdtr, fdtrc

    several = [group for group in groups if len(group) > 1]
    if len(several) < 2:
        return True
    for place, group in enumerate(several):
        own = spread([group], floor)
        others = spread([*several[:place], *several[place + 1 :]], floor)
        if not others.sd or not own.sd:
            if own.sd != others.sd:
                return False
            continue
        found = own.freedom, others.freedom, (own.sd / others.sd) ** 2
        if min(fdtr(*found), fdtrc(*found)) < GROSS / 2 / len(several):
            return False
    return True


def half_width(known: Spread, runs: int, of: int = 1, sets: float = 0.0, digits: float = 0.0) -> float:
    """Half the prediction interval for the mean of `of` runs, given `runs` of ours.

    `sets` is the variance that two different test sets add, `digits` half a unit of the last printed digit.
    """
    return quantile(known.freedom) * math.sqrt(known.sd**2 * (1 / of + 1 / runs) + sets) + digits


def narrowest(sd: float, of: int = 1, sets: float = 0.0, digits: float = 0.0) -> float:
    """What half_width() comes to with any number of runs: what was published varies all the same."""
    return quantile(None) * math.sqrt(sd**2 / of + sets) + digits


def runs_needed(
    width: float, sd: float, of: int = 1, further: int = 0, sets: float = 0.0, digits: float = 0.0
) -> int | None:
    """The least number of runs, from 3, whose half_width() is at most `width` if their spread is `sd`; None above MOST.

    `further` are the degrees of freedom that the spread has from others' runs.
    """
    counts = range(3, MOST + 1)

    def enough(runs: int) -> bool:
        return half_width(Spread(sd, runs - 1 + further), runs, of, sets, digits) <= width

    place = bisect_left(counts, True, key=enough)
    return counts[place] if place < len(counts) else None


def _squares(group: Sequence[float]) -> float:
    """The sum of the squared distances from the mean of the group; 0 for equal values, which no mean rounds away."""
    steps = [value - group[0] for value in group]
    mean = statistics.fmean(steps) if steps else 0.0
    return math.fsum((step - mean) ** 2 for step in steps)
