"""Intervals and tests. SciPy is imported where used: listing tables must not wait for it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

Z95 = 1.959963984540054  # normal quantile of a two-sided 95 % interval


def wilson(fraction: float, n: int) -> tuple[float, float]:
    """95 % interval of an accuracy `fraction` measured on `n` samples (Wilson 1927)."""
    centre = (fraction + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(fraction * (1 - fraction) / n + Z95**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % interval of the mean of `values` (Student); needs at least two."""
    from scipy.stats import t

    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    half = float(t.ppf(0.975, len(values) - 1)) * error
    return mean - half, mean + half


def accuracy_interval(fractions: Sequence[float], n: int) -> tuple[float, float]:
    """95 % interval of a mean accuracy over seeds, each measured on the same `n` test samples.

    The wider of two at each end: Wilson's (the test set is a sample; more seeds do not enlarge it) and, from two seeds
    on, Student's over the seeds.
    """
    mean = statistics.fmean(fractions)
    low, high = wilson(min(max(mean, 0.0), 1.0), n)
    if len(fractions) > 1:
        seeds_low, seeds_high = t_interval(fractions)
        low, high = min(low, max(0.0, seeds_low)), max(high, min(1.0, seeds_high))
    return low, high


def paired(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval (Student) of paired differences; needs at least two."""
    low, high = t_interval(differences)
    return statistics.fmean(differences), low, high
