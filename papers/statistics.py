"""Intervals and tests. SciPy is imported where used: listing tables must not wait for it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

LEVEL = 0.95
Interval = tuple[float, float]


def wilson(fraction: float, n: int) -> Interval:
    """95 % interval of a share measured on `n` samples (Wilson 1927). The share may be a mean over runs."""
    from scipy.stats import norm

    z = float(norm.ppf(0.5 + LEVEL / 2))
    centre = (fraction + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(fraction * (1 - fraction) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def student(values: Sequence[float]) -> Interval:
    """95 % interval of the mean of `values`; needs at least two."""
    from scipy.stats import t

    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    half = float(t.ppf(0.5 + LEVEL / 2, len(values) - 1)) * error
    return mean - half, mean + half


def paired(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval (Student) of paired differences; needs at least two."""
    low, high = student(differences)
    return statistics.fmean(differences), low, high


def _share(values: Sequence[float], n: int | None, readings: Sequence[float]) -> Interval | None:
    """Of a mean share over seeds, each measured on the same `n` samples: the wider of two at each end, Wilson's (the
    test set is a sample; more seeds do not enlarge it) and, from two seeds on, Student's over the seeds."""
    if not n:
        return None
    low, high = wilson(min(max(statistics.fmean(values), 0.0), 1.0), n)
    if len(values) > 1:
        seeds_low, seeds_high = student(values)
        low, high = min(low, max(0.0, seeds_low)), max(high, min(1.0, seeds_high))
    return low, high


def _over_seeds(values: Sequence[float], n: int | None, readings: Sequence[float]) -> Interval | None:
    return student(values) if len(values) > 1 else None


def _bootstrap(values: Sequence[float], n: int | None, readings: Sequence[float]) -> Interval | None:
    """Of the mean of `readings`, by resampling them; the same readings always give the same interval."""
    from scipy.stats import bootstrap

    if len(set(readings)) < 2:
        return None
    found = bootstrap((readings,), statistics.fmean, confidence_level=LEVEL, vectorized=False, rng=0)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _median(values: Sequence[float], n: int | None, readings: Sequence[float]) -> Interval | None:
    """Of the median of `readings`, between two of them (order statistics)."""
    from scipy.stats import quantile_test

    if not readings:
        return None
    middle = quantile_test(readings, q=statistics.median(readings), p=0.5)
    found = middle.confidence_interval(confidence_level=LEVEL)
    return None if math.isnan(found.low) or math.isnan(found.high) else (float(found.low), float(found.high))


def _exact(values: Sequence[float], n: int | None, readings: Sequence[float]) -> Interval | None:
    return min(values), max(values)


RULES: dict[str, Callable[[Sequence[float], int | None, Sequence[float]], Interval | None]] = {
    "wilson": _share,
    "student": _over_seeds,
    "bootstrap": _bootstrap,
    "readings": _median,
    "exact": _exact,
}


def interval(
    rule: str, values: Sequence[float], n: int | None = None, readings: Sequence[float] = ()
) -> Interval | None:
    """95 % interval by one of RULES of the mean of `values`, one a run; None where they are too few to tell.

    `n` is the size of the test set, `readings` the repeated measurements or single samples behind the values.
    """
    return RULES[rule](values, n, readings)
