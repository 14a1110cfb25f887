"""Intervals and tests. SciPy is imported where used: listing tables must not wait for it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import cache

LEVEL = 0.95
Interval = tuple[float, float]
Readings = Sequence[Sequence[float]]  # for each run the single samples or repeated measurements behind its value


@cache
def quantile(freedom: int | None) -> float:
    """What encloses 95 % on both sides of Student's t; None stands for any number of degrees of freedom."""
    from scipy.special import ndtri, stdtrit  # scipy.stats takes a second to load, and every report needs this

    return float(ndtri(0.5 + LEVEL / 2) if freedom is None else stdtrit(freedom, 0.5 + LEVEL / 2))


def wilson(fraction: float, n: int) -> Interval:
    """95 % interval of a share measured on `n` samples (Wilson 1927). The share may be a mean over runs."""
    z = quantile(None)
    centre = (fraction + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(fraction * (1 - fraction) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def student(values: Sequence[float]) -> Interval:
    """95 % interval of the mean of `values`; needs at least two."""
    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    half = quantile(len(values) - 1) * error
    return mean - half, mean + half


def combined(centre: float, *intervals: Interval) -> Interval:
    """Independent sources of error together: the root of the sum of squares of the halves, below `centre` and above."""
    low, high = zip(*intervals, strict=True)
    return centre - math.hypot(*(centre - end for end in low)), centre + math.hypot(*(end - centre for end in high))


def _share(values: Sequence[float], n: int | None, readings: Readings) -> Interval | None:
    """Of a mean share over seeds, each measured on the same `n` samples: Wilson's (the test set is a sample; more seeds
    do not enlarge it), combined from two seeds on with Student's over the seeds."""
    if not n:
        return None
    mean = min(max(statistics.fmean(values), 0.0), 1.0)
    low, high = combined(mean, wilson(mean, n), *([student(values)] if len(values) > 1 else []))
    return max(0.0, low), min(1.0, high)


def _over_seeds(values: Sequence[float], n: int | None, readings: Readings) -> Interval | None:
    return student(values) if len(values) > 1 else None


def _bootstrap(values: Sequence[float], n: int | None, readings: Readings) -> Interval | None:
    """Of a mean over samples, each read once a run: by resampling them, combined from two runs on with Student's.

    The same readings always give the same interval. None where the runs read other samples, or all read the same.
    """
    from scipy.stats import bootstrap

    if not readings or len({len(of_run) for of_run in readings}) > 1:
        return None
    by_sample = [statistics.fmean(of_sample) for of_sample in zip(*readings, strict=True)]
    if len(set(by_sample)) < 2:
        return None
    found = bootstrap((by_sample,), statistics.fmean, confidence_level=LEVEL, vectorized=False, rng=0)
    ends = float(found.confidence_interval.low), float(found.confidence_interval.high)
    return combined(statistics.fmean(by_sample), ends, *([student(values)] if len(values) > 1 else []))


def _median(values: Sequence[float], n: int | None, readings: Readings) -> Interval | None:
    """Of the median of all readings, between two of them (order statistics)."""
    from scipy.stats import quantile_test

    every = [value for of_run in readings for value in of_run]
    if not every:
        return None
    middle = quantile_test(every, q=statistics.median(every), p=0.5)
    found = middle.confidence_interval(confidence_level=LEVEL)
    return None if math.isnan(found.low) or math.isnan(found.high) else (float(found.low), float(found.high))


def _exact(values: Sequence[float], n: int | None, readings: Readings) -> Interval | None:
    return min(values), max(values)


RULES: dict[str, Callable[[Sequence[float], int | None, Readings], Interval | None]] = {
    "wilson": _share,
    "student": _over_seeds,
    "bootstrap": _bootstrap,
    "readings": _median,
    "exact": _exact,
}


READ = ("bootstrap", "readings")  # the rules that look at the readings


def interval(rule: str, values: Sequence[float], n: int | None = None, readings: Readings = ()) -> Interval | None:
    """95 % interval by one of RULES of the mean of `values`, one a run; None where they are too few to tell.

    `n` is the size of the test set; `readings` are needed by the rules READ, which have no interval without them.
    """
    return RULES[rule](values, n, readings)
