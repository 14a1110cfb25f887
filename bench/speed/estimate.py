"""Medians with intervals that assume no distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST = 6  # readings below which no pair of order statistics covers the median with 95 %


@dataclass(frozen=True)
class Estimate:
    """A median; `low` and `high` bound it with at least 95 % confidence, None with fewer than FEWEST readings."""

    median: float
    low: float | None
    high: float | None


def median(values: Sequence[float]) -> Estimate:
    """The median of `values` (at least one) with its interval of order statistics.

    With n readings the k-th smallest and k-th largest enclose the median with probability 1 - 2 P(B < k), B binomial
    (n, 1/2); k is the largest that leaves 95 % (David and Nagaraja, Order Statistics, Sec. 7.1).
    """
    ordered = sorted(values)
    k = _rank(len(ordered))
    middle = statistics.median(ordered)
    return Estimate(middle, ordered[k - 1], ordered[-k]) if k else Estimate(middle, None, None)


def ratio(values: Sequence[float], base: Sequence[float]) -> Estimate:
    """How many times `values` are `base`: the median over the rounds that both have, so that drift cancels."""
    return median([value / reference for value, reference in zip(values, base, strict=False)])


def _rank(n: int) -> int:
    below, k = 0.0, 0
    while k < n:
        below += math.comb(n, k) / 2**n
        if below > 0.025:
            break
        k += 1
    return k
